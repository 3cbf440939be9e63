"""Compare: the answer on one screen, and below it the numbers that it rests on."""

from modeldiff.ui.alone.model_facts import model_in_short
from modeldiff.ui.compare.compare_view import compare_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.page_header import page_head

enter("compare")
compare_view(page_head(model_in_short, view="answer"))
