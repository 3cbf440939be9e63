"""From what was typed to models and their comparison, read once and kept.

What is kept is found again by the reference and a stamp of the files behind it, so that a folder
that changed is read anew. Models are frozen values and are shared, not copied; but what somebody
opens in their own name at the Hub is theirs alone.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict

import streamlit as st

from modeldiff.changes.layer_chains import LayerMatching
from modeldiff.checkpoints import Reference, parse_reference
from modeldiff.checkpoints.hub.access import HubLogin
from modeldiff.comparison import Comparison
from modeldiff.errors import Cancelled, ModeldiffError
from modeldiff.model import FileStamp, Model, file_stamp
from modeldiff.observability.events import error_met
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.processes.wanted import wanted_while
from modeldiff.ui.session.login import hub_login
from modeldiff.ui.session.presence import session_waits


@dataclass(frozen=True)
class NotOpened:
    """A reference that could not be opened, and why."""

    text: str
    error: ModeldiffError


Side = Model | NotOpened
_Kept = tuple[str, str, str, str, FileStamp, str, int]
_Asked = tuple[str, str, FileStamp, str, bool]
_MOST_TENSORS = 500_000
"""Tensors of all models that are kept, but for the last two: opened and compared, each takes some
kilobytes."""
_tensors: OrderedDict[_Asked, int] = OrderedDict()
"""The models that were asked for, the latest last, and how many tensors they have."""
_MOST_TOKENS = 2_000_000
"""Tokens of the tokenizers that were compared and are kept with their comparison, but for the last
one: where the two differ each takes some 300 bytes."""
_Pair = tuple[_Kept, _Kept, LayerMatching]
_compared: dict[_Pair, weakref.ref[Comparison]] = {}
"""The comparisons that were asked for and are kept, the latest last."""
_lock = threading.Lock()


def open_side(text: str, label: str = "", *, stream: bool = False) -> Side:
    """Open what was typed, to be called ``label`` (empty: by its own name), its weights to be read
    at the Hub itself with ``stream``; an error is a value, so that one broken side hides nothing
    else. The run ends where its tab has gone meanwhile."""
    try:
        reference = parse_reference(text)
        login = hub_login() if reference.kind in ("hub", "adapted") else None
        stream = stream and reference.kind == "hub"
        stamp = file_stamp(reference)
        asked = text, reference.text, stamp, _who(login), stream
        with wanted_while(session_waits()):
            side = _open(*asked, reference, login)
        if isinstance(side, Model):
            _make_room(asked, side)
        return side.labelled(label) if isinstance(side, Model) else side
    except Cancelled:
        return st.stop()  # the tab is gone: nor is the other side opened for it
    except ModeldiffError as error:
        return NotOpened(text, error)


def compare_sides(base: Side, target: Side, layers: LayerMatching = "auto") -> Comparison | None:
    """The comparison of the two, with layers that meet so; None where one could not be opened."""
    if isinstance(base, Model) and isinstance(target, Model):
        who = _who(hub_login())
        pair = _kept_under(base, who), _kept_under(target, who), layers
        comparison = _compare(*pair, base, target)
        _make_room_for_tokens(pair, comparison)
        return comparison
    return None


def _make_room_for_tokens(pair: _Pair, comparison: Comparison) -> None:
    """Forget those comparisons that nobody asked for longest, where all hold too many tokens. What
    a page has read of the files beside the weights stays with its comparison, so that it counts
    from the next run of any page on."""
    gone = []
    with _lock:
        _compared.pop(pair, None)
        _compared[pair] = weakref.ref(comparison)
        kept = {each: held for each, ref in _compared.items() if (held := ref()) is not None}
        for each in _compared.keys() - kept.keys():
            del _compared[each]
        tokens = {each: held.tokens_held for each, held in kept.items() if held.tokens_held}
        for each in list(tokens):
            if each != pair and sum(tokens.values()) > _MOST_TOKENS:
                gone.append(each)
                del tokens[each], _compared[each]
    for each in gone:
        _compare.clear(*each, None, None)


def _make_room(asked: _Asked, model: Model) -> None:
    """Forget those models that nobody asked for longest, where all have too many tensors."""
    gone = []
    with _lock:
        _tensors[asked] = len(model.checkpoint.tensors)
        _tensors.move_to_end(asked)
        while len(_tensors) > 2 and sum(_tensors.values()) > _MOST_TENSORS:
            gone.append(_tensors.popitem(last=False)[0])
    for each in gone:
        _open.clear(*each, None, None)
    if gone:
        _compare.clear()  # a comparison holds its models


def forget_openings() -> None:
    """Open everything anew, failures included: for a button that tries again."""
    _open.clear()
    with _lock:
        _tensors.clear()


def _who(login: HubLogin | None) -> str:
    return "" if login is None else login.name


def _kept_under(model: Model, who: str) -> _Kept:
    # What has to be downloaded differs between the ways to read one repository.
    return model.text, model.label, *model.identity, model.stamp, who, model.bytes_away


# A repository's branch may move and a gate may open, hence the time limit.
@st.cache_resource(max_entries=32, ttl="10m", show_spinner="Reading headers …")
def _open(
    text: str,
    canonical: str,
    stamp: FileStamp,
    who: str,
    stream: bool,
    _reference: Reference,
    _login: HubLogin | None,
) -> Side:
    del canonical, stamp, who
    try:
        return Model.open(_reference, text=text, download=not stream, login=_login)
    except Cancelled:
        raise  # whoever opens it next is not to be told that somebody left
    except ModeldiffError as error:
        error_met(error, "opening")
        return NotOpened(text, error)


@st.cache_resource(max_entries=8, show_spinner=False)
def _compare(
    base: _Kept, target: _Kept, layers: LayerMatching, _base: Model, _target: Model
) -> Comparison:
    del base, target
    return Comparison(_base, _target, layers=layers)
