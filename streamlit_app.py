"""modeldiff's app: page config, pages and sidebar. Each page is a script of its own in pages/."""

from pathlib import Path

import streamlit as st

from modeldiff import ui
from modeldiff.ui.session.entry_guard import lead_back
from modeldiff.ui.shell.sidebar import sidebar

ICON = Path(ui.__file__).parent / "icon.svg"

# Before the navigation: a page's own icon would else be the tab's, fetched from a host of fonts.
st.set_page_config(page_icon=str(ICON), layout="wide")
st.logo(str(ICON), size="large")

PAGES = {
    "compare": st.Page(
        "pages/compare.py",
        title="Compare",
        icon=":material/difference:",
        default=True,
        help="What the two checkpoints are, and what changed between them in a few numbers.",
    ),
    "architecture": st.Page(
        "pages/architecture.py",
        title="Architecture",
        icon=":material/account_tree:",
        help="How the two are built, side by side, down to every tensor's shape.",
    ),
    "heatmap": st.Page(
        "pages/heatmap.py",
        title="Heatmap",
        icon=":material/grid_on:",
        help="Where the change is: layers down, components across.",
    ),
    "diagram": st.Page(
        "pages/diagram.py",
        title="Diagram",
        icon=":material/schema:",
        help="One layer as the data passes through it, with each parameter's change.",
    ),
    "beyond": st.Page(
        "pages/beyond.py",
        title="Beyond the weights",
        icon=":material/forum:",
        help="Tokenizer, chat template, generation config, config and card, side by side.",
    ),
}

page = st.navigation(list(PAGES.values()))
st.set_page_config(page_title=f"{page.title} · modeldiff")
lead_back(PAGES)
sidebar()
page.run()
