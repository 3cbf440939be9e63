"""Models at hand, to be taken as base or target: folders, the Hub's cache, the catalog, and what is
dropped onto the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath

import streamlit as st

from modeldiff.checkpoints import demo_names
from modeldiff.checkpoints.addresses.hub_names import HubName
from modeldiff.checkpoints.config_only.catalog import catalog_names, catalog_title
from modeldiff.checkpoints.given_configs import keep_given_config
from modeldiff.checkpoints.hub.revisions import hub_revisions
from modeldiff.checkpoints.hub.search import MAX_WORDS, can_search_hub, search_hub
from modeldiff.checkpoints.nearby import cached_repositories, nearby_folders
from modeldiff.errors import ModeldiffError
from modeldiff.results import keep_given_result
from modeldiff.ui.session.selected_pair import PairChoice
from modeldiff.ui.widgets.error_box import show_error
from modeldiff.ui.widgets.going import go_to

_KEY, _DROP, _OPENED = "model_here", "dropped_file", "opened_file"
_SEARCH, _HUB_MODEL = "hub_search", "hub_model"
_HUB_REVISIONS, _HUB_REVISION = "hub_revisions", "hub_revision"
_LARGEST_MB = 200


def model_picker(choice: PairChoice, take: Callable[[PairChoice], None]) -> None:
    """Draw the list with its buttons, and where files are dropped. ``take`` is a callback for the
    pair that ``choice`` becomes."""
    models = _models(choice)
    chosen = st.selectbox(
        "Models at hand",
        models,
        index=None,
        key=_KEY,
        format_func=_label,
        placeholder="Folders, the Hub's cache, the catalog",
        help="Folders that hold weights, in the roots that may be opened here and beside the "
        "pair's own; repositories in the Hub's cache; published configs; demos.",
    )
    _buttons(choice, chosen, take)
    if can_search_hub():
        _on_the_hub(choice, take)
    _dropped(choice, take)


def _on_the_hub(choice: PairChoice, take: Callable[[PairChoice], None]) -> None:
    """Models on the Hub by words; nothing is asked before somebody typed some."""
    words = st.text_input(
        "Search the Hugging Face Hub",
        key=_SEARCH,
        max_chars=MAX_WORDS,
        placeholder="llama 3.1 instruct",
        help="Public repositories with safetensors weights, the most downloaded first.",
    ).strip()
    if not words:
        return
    try:
        names = _search(words)
    except ModeldiffError as error:
        show_error(error)
        return
    if not names:
        st.caption("No model on the Hub matches.")
        return
    chosen = st.selectbox(
        "On the Hub", names, index=None, key=_HUB_MODEL, placeholder=f"{len(names)} found"
    )
    _buttons(choice, chosen, take, "hub")
    if chosen is not None:
        _of_repository(choice, chosen, take)


def _of_repository(choice: PairChoice, repo: str, take: Callable[[PairChoice], None]) -> None:
    """The steps and versions that a repository has, once somebody asks for them."""
    if not st.toggle(
        "Its branches and tags",
        key=_HUB_REVISIONS,
        help="Of many models the steps of their training are there, too.",
    ):
        return
    try:
        revisions = _revisions(repo)
    except ModeldiffError as error:
        show_error(error)
        return
    names = [revision for revision in revisions if revision != "main"]
    if not names:
        st.caption("It has none but main.")
        return
    chosen = st.selectbox(
        "Revision", names, index=None, key=_HUB_REVISION, placeholder=f"{len(names):,} found"
    )
    reference = HubName(repo, chosen).text if chosen else None
    _buttons(choice, reference, take, "revision")


# No token is sent, as for the search: everybody is shown the same.
@st.cache_data(ttl="5m", max_entries=64, show_spinner="Asking the Hub …")
def _revisions(repo: str) -> tuple[str, ...]:
    return tuple(each.name for each in hub_revisions(repo, public=True))


@st.cache_data(ttl="5m", max_entries=64, show_spinner="Asking the Hub …")
def _search(words: str) -> tuple[str, ...]:
    return search_hub(words)


def _buttons(
    choice: PairChoice, reference: str | None, take: Callable[[PairChoice], None], what: str = ""
) -> None:
    """Take ``reference`` as one side or the other, or look at it alone."""
    with st.container(horizontal=True):
        for role in ("base", "target"):
            changes = {role: reference or "", f"{role}_label": "", "alone": ""}
            st.button(
                f"{what} as {role}".strip().capitalize(),
                key=f"{what}_as_{role}",
                disabled=reference is None,
                on_click=take,
                args=(replace(choice, **changes),),  # type: ignore[arg-type]
            )
        st.button(
            f"{what} alone".strip().capitalize(),
            key=f"{what}_alone",
            disabled=reference is None,
            help="Its architecture and diagram, without a comparison.",
            on_click=take,
            args=(replace(choice, base=reference or "", base_label="", alone="1"),),
        )


def _dropped(choice: PairChoice, take: Callable[[PairChoice], None]) -> None:
    file = st.file_uploader(
        "A config.json, or a saved result (Parquet)",
        type=["json", "parquet"],
        key=_DROP,
        max_upload_size=_LARGEST_MB,
    )
    if file is None:
        return
    try:
        if file.name.lower().endswith(".parquet"):
            query = {"result": keep_given_result(file.getvalue(), file.name).key}
            st.page_link("pages/result.py", label="Open it", query_params=query)
            # Back may lead to where it lies still, and is not to open it once more.
            if st.session_state.get(_OPENED) != file.file_id:
                st.session_state[_OPENED] = file.file_id
                go_to("result", query, key="open_dropped")
        else:
            _buttons(choice, keep_given_config(file.getvalue(), file.name), take, "config")
    except ModeldiffError as error:
        show_error(error)
    except OSError as error:
        show_error(ModeldiffError(f"The file can't be kept: {error.strerror or error}."))


def _models(choice: PairChoice) -> Sequence[str]:
    return (
        *_folders(choice.base, choice.target),
        *_repositories(),
        *(f"demo:{name}" for name in demo_names()),
        *(f"catalog:{name}" for name in catalog_names()),
    )


# A folder that appears is listed half a minute later at most; looking costs more than remembering.
@st.cache_data(ttl="30s", max_entries=64, show_spinner=False)
def _folders(base: str, target: str) -> tuple[str, ...]:
    return nearby_folders(base, target)


@st.cache_data(ttl="30s", show_spinner=False)
def _repositories() -> tuple[str, ...]:
    return cached_repositories()


def _label(reference: str) -> str:
    kind, _, name = reference.partition(":")
    if kind == "catalog":
        return f"{catalog_title(name)} · config"
    if reference.startswith("/"):
        return f"{PurePath(reference).name} · {PurePath(reference).parent}"
    return reference
