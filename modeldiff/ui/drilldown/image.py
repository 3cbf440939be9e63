"""The change of a matrix as an image, in the page's colours."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import streamlit as st

from modeldiff.changes import ChangeImage, Pair
from modeldiff.comparison import Comparison
from modeldiff.drawings import LIGHT
from modeldiff.drawings.charts.change_image import image_alt, image_levels, image_png, image_scale
from modeldiff.ui.drilldown.view import DrillDownView

_HERE = Path(__file__).parent
_HTML = """<div class="picture"><canvas tabindex="0" role="img"></canvas>
<div class="scale"><div class="bar"></div><span class="start"></span><span class="middle"></span>
<span class="end"></span></div><div class="says" aria-live="polite"></div></div>"""
_NO_FILE_NAME = re.compile(r"[^\w.-]")
_LEAST_ASPECT, _MOST_ASPECT = 1.0, 2.0

_component = st.components.v2.component(
    "change_image",
    html=_HTML,
    css=(_HERE / "image.css").read_text(encoding="utf-8"),
    js=(_HERE / "image.js").read_text(encoding="utf-8"),
)


def _show(comparison: Comparison, pair: Pair, image: ChangeImage) -> None:
    """The image with its scale, and a file of it."""
    del comparison
    scale = image_scale(image)
    levels = image_levels(image, scale)
    content = levels.tobytes()
    kind = "logarithmic" if scale.log else "linear"
    st.caption(
        f"Relative Frobenius change of {image.height:,} × {image.width:,} blocks of the "
        f"{image.rows:,} × {image.columns:,} matrix as stored. "
        f"The scale is {kind}."
    )
    _component(
        key="change_image",
        data={
            "levels": base64.b64encode(content).decode(),
            "digest": hashlib.sha256(content).hexdigest(),
            "width": image.width,
            "height": image.height,
            "rows": image.rows,
            "columns": image.columns,
            "low": scale.low,
            "high": scale.high,
            "log": scale.log,
            "words": scale.words,
            "aspect": min(max(image.columns / image.rows, _LEAST_ASPECT), _MOST_ASPECT),
            "alt": image_alt(image),
            "hint": "Point at a block, or use the arrow keys, to read its value.",
        },
    )
    st.download_button(
        "PNG",
        lambda: image_png(levels, LIGHT),
        file_name=_file_name(pair),
        mime="image/png",
        key="image_png",
        icon=":material/download:",
        help="One pixel per block, in the colours of the light theme.",
        on_click="ignore",
    )


def _file_name(pair: Pair) -> str:
    layer = "" if pair.place.layer is None else f"-layer-{pair.place.layer_number}"
    return f"modeldiff-change{layer}-{_NO_FILE_NAME.sub('_', pair.place.column)}.png"


IMAGE_VIEW = DrillDownView(label=lambda *_: "Image", show=_show)
