"""modeldiff's app: page config, the pages and the bar that leads to them. Each page is a script of
its own in pages/."""

from pathlib import Path

import streamlit as st

from modeldiff import ui
from modeldiff.ui.controls.diff_progress import begin_run
from modeldiff.ui.controls.pulse import pulse
from modeldiff.ui.presentation.presentation import presentation
from modeldiff.ui.session.entry_guard import (
    ROOT_NAME,
    guarded,
    lead_back,
    require_safe_serving,
    stray_page,
)
from modeldiff.ui.session.login import require_login
from modeldiff.ui.session.presenting import presented_view
from modeldiff.ui.session.selected_pair import hide_credentials, leave_for_page
from modeldiff.ui.session.upkeep import begin_upkeep
from modeldiff.ui.session.watching import begin_request
from modeldiff.ui.shell.navigation_bar import navigation_bar
from modeldiff.ui.shell.uploads import begin_bounding_uploads

ICON = Path(ui.__file__).parent / "icon.svg"
STYLE = Path(ui.__file__).parent / "shell" / "style.css"

# Before the navigation: a page's own icon would else be the tab's, fetched from a host of fonts.
st.set_page_config(page_icon=str(ICON), layout="wide")

PAGES = {
    # Served at the root; the name that it takes nevertheless is not to be `compare`.
    "compare": st.Page("pages/compare.py", title="Compare", default=True, url_path=ROOT_NAME),
    "architecture": st.Page("pages/architecture.py", title="Architecture"),
    "heatmap": st.Page("pages/heatmap.py", title="Heatmap"),
    "diagram": st.Page("pages/diagram.py", title="Diagram"),
    "beyond": st.Page("pages/beyond.py", title="Beyond the weights"),
    "evolution": st.Page("pages/evolution.py", title="Evolution"),
    "gallery": st.Page("pages/gallery.py", title="Gallery"),
    "fleet": st.Page("pages/fleet.py", title="Fleet"),
    "result": st.Page("pages/result.py", title="Result", visibility="hidden"),
}

page = st.navigation([*PAGES.values(), *stray_page(PAGES)], position="hidden")
# After it: who does not come in is not shown Streamlit's own list of pages, either.
require_safe_serving()
begin_upkeep()
begin_bounding_uploads()
begin_request(page.url_path if page in PAGES.values() else "")
require_login()
st.set_page_config(page_title=f"{page.title} · modeldiff")
lead_back(PAGES, page)
st.html(STYLE)
hide_credentials()
view = presented_view()
if view is None:
    navigation_bar(PAGES, page)
with pulse(page), guarded():
    if view is not None:
        presentation(page.url_path, view)
    else:
        leave_for_page(begin_run())
        page.run()
