"""Evolution: a row of models, and what each changed from the one before it."""

from modeldiff.ui.architecture.lineage_view import lineage_view
from modeldiff.ui.session.entry_guard import enter

enter("evolution")
lineage_view()
