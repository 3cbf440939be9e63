"""The popover in which base, target and how to compare them are chosen, in one step."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import streamlit as st

from modeldiff.changes import available_devices
from modeldiff.checkpoints.names import MAX_LABEL, model_label
from modeldiff.ui.session.known_pairs import PairPreset, known_pairs
from modeldiff.ui.session.selected_pair import PairChoice, choose_pair, pair_choice
from modeldiff.ui.shell.model_picker import model_picker

_POPOVER, _PRESET = "pair", "preset"
_LAYERS = {"auto": "By content", "position": "By position"}
_REFERENCE_HELP = (
    "A folder, a file of weights, a `config.json`, `owner/name@revision/path` on the Hugging Face "
    "Hub, `s3://…`, `gs://…`, `az://…` or `https://…`, each with `:tag` behind it for one of "
    "several sets of weights, `catalog:name` or `demo:name`."
)
_FIELDS = ("base", "target", "base_label", "target_label", "device", "layers")


def pair_chooser(names: tuple[str, str]) -> None:
    """Draw the popover; ``names`` are what base and target are called without labels."""
    choice = pair_choice()
    # With another pair it is another popover, which is closed.
    with (
        st.popover("Pair", key=_key(_POPOVER, choice)),
        st.container(width=560, key="pair_chooser"),
    ):
        _choose_preset(choice)
        _choose_by_hand(choice, names)
        model_picker(choice, choose_pair)


def swap_button() -> None:
    """Draw the button that makes base of target and target of base."""
    st.button("Swap ⇄", key="swap", on_click=_swap, help="Measure from the other side.")


def _swap() -> None:
    choose_pair(pair_choice().swapped)


def _choose_preset(choice: PairChoice) -> None:
    key = _key(_PRESET, choice)
    pairs = known_pairs()
    chosen = (pair for pair in pairs if (pair.base, pair.target) == (choice.base, choice.target))
    preset = next(chosen, None)
    with st.container(key=_PRESET):
        st.selectbox(
            "Pairs: recent ones, kept results, examples",
            pairs,
            index=None if preset is None else pairs.index(preset),
            key=key,
            format_func=lambda preset: preset.label,
            placeholder="A pair of your own",
            on_change=lambda: _take_preset(st.session_state[key]),
        )
        with st.container(horizontal=True):
            st.page_link("pages/gallery.py", label="Gallery: pairs measured beforehand")
            st.page_link("pages/fleet.py", label="Fleet: kept results that share a base")


def _take_preset(preset: PairPreset | None) -> None:
    if preset is not None:
        choose_pair(replace(_plain(), base=preset.base, target=preset.target))


def _choose_by_hand(choice: PairChoice, names: tuple[str, str]) -> None:
    devices = ("auto", *available_devices())
    with st.form("pair_form", border=False):
        # Tab goes from base to target: no help, which would be a stop, and the labels after both.
        references, labels = st.columns([2, 1])
        for role, name in zip(("base", "target"), names, strict=True):
            with references:
                st.text_input(
                    role.capitalize(),
                    getattr(choice, role),
                    key=_key(role, choice),
                    max_chars=1000,
                )
            with labels:
                st.text_input(
                    f"{role.capitalize()} is called",
                    model_label(getattr(choice, f"{role}_label")),
                    key=_key(f"{role}_label", choice),
                    max_chars=MAX_LABEL,
                    placeholder=name,
                )
        st.caption(_REFERENCE_HELP)
        device, layers = st.columns(2)
        with device:
            st.selectbox(
                "Device",
                devices,
                devices.index(choice.device) if choice.device in devices else 0,
                key=_key("device", choice),
                help="Where to measure. The result is the same on every device, and is kept.",
            )
        with layers:
            st.selectbox(
                "Layers",
                list(_LAYERS),
                list(_LAYERS).index(choice.layers),
                key=_key("layers", choice),
                format_func=lambda way: _LAYERS[way],
                help="By content: where depths differ, or a layer has nothing in common with the "
                "one of its number, layers with the same content are compared. By position: "
                "always by number.",
            )
        st.checkbox(
            "Read the Hub's weights over the network, keep none on the disk",
            bool(choice.stream),
            key=_key("stream", choice),
            help="For networks that are faster than the disk, or models that it has no room for. "
            "Each diff reads them anew.",
        )
        st.form_submit_button(
            "Compare", key="compare_pair", type="primary", on_click=_take_form, args=(choice,)
        )


def _take_form(shown: PairChoice) -> None:
    chosen = {field: st.session_state[_key(field, shown)] for field in _FIELDS}
    choose_pair(PairChoice(**chosen, stream="1" if st.session_state[_key("stream", shown)] else ""))


def _plain() -> PairChoice:
    """What is chosen now, without the labels, which are of this pair's models."""
    return replace(pair_choice(), base_label="", target_label="", alone="")


def _key(field: str, choice: PairChoice) -> str:
    """A widget's key while this choice is made: a browser keeps a closed popover's values, and
    would bring those of another pair back."""
    return f"{field}_{hashlib.sha256(repr(choice).encode()).hexdigest()[:12]}"
