"""Result: a saved result by its key, without the models that it was measured on."""

from modeldiff.ui.compare.saved_result import saved_result
from modeldiff.ui.session.entry_guard import enter

enter("result")
saved_result()
