"""Which fleets there are: kept results that share a base, of what everybody may know of here."""

from __future__ import annotations

import itertools

import streamlit as st

from modeldiff.results import ResultHeader, list_results, load_result
from modeldiff.results.fleet.rows import FleetRow, fleet_row, fleets_of
from modeldiff.ui.session.known_pairs import may_be_listed

MOST_PAIRS = 1_000
"""So many pairs of a fleet are shown, the newest."""
Fleets = dict[str, list[ResultHeader]]


def kept_fleets() -> Fleets:
    """All of them, by the fingerprint of their base, that of the newest result first."""
    fleets = {
        base: [*itertools.islice(filter(_may_be_listed, headers), MOST_PAIRS)]
        for base, headers in _fleets().items()
    }
    return {base: headers for base, headers in fleets.items() if len(headers) > 1}


def _may_be_listed(header: ResultHeader) -> bool:
    return may_be_listed(header.base_reference) and may_be_listed(header.target_reference)


# The folder of results changes when a diff ends; who waits half a minute sees it.
@st.cache_resource(ttl="30s", max_entries=1, show_spinner=False)
def _fleets() -> Fleets:
    return fleets_of(list_results())


def row_of(header: ResultHeader) -> FleetRow | None:
    """The row of a kept result; None where it was deleted meanwhile."""
    return _row(header.key, header.created)


@st.cache_resource(max_entries=4_000, show_spinner="Reading the kept results …")
def _row(key: str, created: str) -> FleetRow | None:
    del created  # measured anew it is another one
    result = load_result(key)
    return None if result is None else fleet_row(result)
