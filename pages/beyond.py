"""Beyond the weights: what else is in the checkpoints and changes how a model behaves."""

from modeldiff.ui.alone.model_companions import model_companions
from modeldiff.ui.companions.companions_view import companions_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.page_header import page_head

enter("beyond")
comparison = page_head(model_companions)

companions_view(comparison)
