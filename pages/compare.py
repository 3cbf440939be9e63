"""Compare: the answer on one screen, and below it the numbers that it rests on."""

from modeldiff.ui.compare.compare_view import compare_view
from modeldiff.ui.session.entry_guard import enter
from modeldiff.ui.shell.page_header import page_head

enter("compare")
compare_view(page_head())
