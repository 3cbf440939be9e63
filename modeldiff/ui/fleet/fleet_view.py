"""A fleet's pairs as rows with small heatmaps on one scale; each leads to its pair. What is chosen
stands in the address."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from modeldiff.drawings import Metric, heatmap_svg
from modeldiff.drawings.heatmap.fleet import (
    FLEET_PICTURE,
    FleetTops,
    fleet_heatmap,
    fleet_tops,
)
from modeldiff.errors import InvalidOption
from modeldiff.findings.conditions.expression import Condition, parse_condition
from modeldiff.results import ResultHeader
from modeldiff.results.fleet.files import FLEET_FILES, FLEET_HEADERS, fleet_cells
from modeldiff.results.fleet.rows import FLEET_COLUMNS, Fleet, FleetRow, chosen_fleet_rows
from modeldiff.text.file_names import file_slug
from modeldiff.text.formatting import counted
from modeldiff.ui.controls.choosers import choose_metric
from modeldiff.ui.fleet.kept_fleets import MOST_PAIRS, Fleets, kept_fleets, row_of
from modeldiff.ui.session.selected_pair import PairChoice, pair_query
from modeldiff.ui.session.url_state import change_view, current_view
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.how_to_read import how_to_read
from modeldiff.ui.widgets.markdown import code, plain
from modeldiff.ui.widgets.scrollable_svg import scrolled_drawing

_AT_ONCE = 12
"""So many rows are drawn, and so many more when asked for."""
_MOST_SHOWN = 10_000
_SORTS = {
    "": "Newest first",
    "name": "Name",
    "median_pct": "Median",
    "rel_frobenius_pct": "Relative Frobenius norm",
    "unchanged_pct": "Unchanged",
    "most_changed_pct": "Most changed tensor",
    "likeness": "Likeness",
}
_ONE_LINE = "\N{NO-BREAK SPACE}"
_BASE, _SORT, _REVERSE, _FILTER = "fleet_base", "fleet_sort", "fleet_reverse", "fleet_filter"


def fleet_view() -> None:
    """Draw the page: which base, how rows are chosen and ordered, then the rows."""
    with st.container(key="page_head"):
        st.title("Fleet", anchor=False)
    fleets = kept_fleets()
    if not fleets:
        st.markdown(
            "A fleet is what was measured from one base to several targets. No two results that "
            "are kept here share a base. Measure some: `modeldiff fleet BASE TARGET TARGET …`"
        )
        st.page_link("pages/gallery.py", label="Gallery: pairs measured beforehand")
        return
    view = current_view("fleet")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        headers = _choose_base(fleets)
        with st.container(width=240):
            metric = choose_metric(view)
        sort, reverse = _choose_order()
        text = _filter_text()
    condition = _condition(text)
    rows = [row for header in headers if (row := row_of(header)) is not None]
    chosen = chosen_fleet_rows(rows, filter=condition, sort=sort, reverse=reverse)
    _say(headers, metric, len(chosen), len(rows))
    tops = _tops(tuple(row.key for row in rows), metric.key, metric)
    shown = _shown()
    for row in chosen[:shown]:
        with st.container(border=True, key=f"pair_{row.key[:16]}"):
            _row(headers[0], row, _drawing(row.key, metric.key, tops, metric))
    if len(chosen) > shown:
        st.button(
            f"Show {min(_AT_ONCE, len(chosen) - shown):,} more of {len(chosen):,}",
            on_click=change_view,
            kwargs={"shown": shown + _AT_ONCE},
        )
    _download(headers[0], chosen)


def _row(header: ResultHeader, row: FleetRow, svg: str) -> None:
    numbers, picture = st.columns([2, 3], vertical_alignment="center")
    with numbers:
        st.subheader(plain(row.name), anchor=False)
        _, *cells = fleet_cells(row)
        facts = zip(FLEET_HEADERS[1:4], cells[:3], strict=True)
        # A number and its unit stay on one line.
        units = (f"{name} **{plain(cell).replace(' ', _ONE_LINE)}**" for name, cell in facts)
        most, likeness = cells[3:]
        lines = [" · ".join(units), f"Most changed: {plain(most)}" if most else "", plain(likeness)]
        st.markdown("  \n".join(filter(None, lines)))
        st.caption(code(row.target))
        with st.container(horizontal=True):
            st.page_link(
                "pages/compare.py",
                label="Open the pair",
                query_params=pair_query(PairChoice(header.base_reference, row.target)),
            )
            st.page_link(
                "pages/result.py", label="Open the result", query_params={"result": row.key}
            )
    with picture:
        if svg:
            scrolled_drawing(svg, key=f"drawing_{row.key[:16]}")


def _choose_base(fleets: Fleets) -> list[ResultHeader]:
    bases = list(fleets)
    wanted = st.query_params.get("fleet", "")
    st.session_state[_BASE] = wanted if wanted in fleets else bases[0]
    with st.container(width=240):
        st.selectbox(
            "Base",
            bases,
            key=_BASE,
            format_func=lambda base: (
                f"{fleets[base][0].names[0]} ({counted(len(fleets[base]), 'target')}"
                f"{' or more' * (len(fleets[base]) >= MOST_PAIRS)})"
            ),
            on_change=lambda: change_view(fleet=st.session_state[_BASE], shown=None),
        )
    return fleets[st.session_state[_BASE]]


def _choose_order() -> tuple[str, bool]:
    sort = st.query_params.get("sort", "")
    reverse = st.query_params.get("reverse", "") == "1"
    st.session_state[_SORT] = sort if sort in _SORTS else ""
    st.session_state[_REVERSE] = reverse
    with st.container(width=190):
        st.selectbox(
            "Order",
            list(_SORTS),
            key=_SORT,
            format_func=lambda name: _SORTS[name],
            on_change=lambda: change_view(sort=st.session_state[_SORT] or None),
        )
    st.checkbox(
        "Reversed",
        key=_REVERSE,
        on_change=lambda: change_view(reverse="1" if st.session_state[_REVERSE] else None),
    )
    return st.session_state[_SORT], reverse


def _filter_text() -> str:
    text = st.query_params.get("filter", "")
    st.session_state[_FILTER] = text
    with st.container(width=280):
        st.text_input(
            "Filter",
            key=_FILTER,
            max_chars=500,
            placeholder="unchanged_pct < 50 and name like '*dpo*'",
            help=f"A condition on {', '.join(FLEET_COLUMNS)}.",
            on_change=lambda: change_view(filter=st.session_state[_FILTER].strip() or None),
        )
    return text


def _condition(text: str) -> Condition | None:
    """What rows have to fulfil; None for all, and where it is not understood, which is said."""
    if not text:
        return None
    try:
        return parse_condition(text, FLEET_COLUMNS)
    except InvalidOption as error:
        show_error(error)
        return None


def _shown() -> int:
    text = st.query_params.get("shown", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _AT_ONCE
    return min(max(number, _AT_ONCE), _MOST_SHOWN)


def _say(headers: Sequence[ResultHeader], metric: Metric, chosen: int, rows: int) -> None:
    which = counted(rows, "pair") if chosen == rows else f"{chosen:,} of {counted(rows, 'pair')}"
    scale = " All pictures share one scale: a colour is the same number in each."
    one_scale = metric.rises or metric.limit is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        newest = f" At most the newest {MOST_PAIRS:,} are shown." * (len(headers) >= MOST_PAIRS)
        base = code(headers[0].base_reference)
        st.caption(f"{which} from {base}.{newest}{scale if one_scale else ''}")
        how_to_read("heatmap")


def _download(header: ResultHeader, rows: Sequence[FleetRow]) -> None:
    fleet = Fleet(header.base_reference, header.base_fingerprint, tuple(rows))
    st.download_button(
        "Table as CSV",
        FLEET_FILES[".csv"](fleet),
        f"{file_slug(header.names[0])}-fleet.csv",
        "text/csv",
        on_click="ignore",
    )


@st.cache_resource(max_entries=32, show_spinner="Reading the kept results …")
def _tops(keys: tuple[str, ...], metric_key: str, _metric: Metric) -> FleetTops:
    del metric_key
    return fleet_tops(keys, _metric)


@st.cache_resource(max_entries=400, show_spinner="Drawing …")
def _drawing(key: str, metric_key: str, tops: FleetTops, _metric: Metric) -> str:
    del metric_key
    heatmap = fleet_heatmap(key, _metric, tops)
    return "" if heatmap is None else heatmap_svg(heatmap, FLEET_PICTURE)
