"""Gallery: pairs measured beforehand, to be opened without their weights."""

from modeldiff.ui.gallery.gallery_view import gallery_view
from modeldiff.ui.session.entry_guard import enter

enter("gallery")
gallery_view()
