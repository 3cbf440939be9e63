"""How to read a report: the definitions, and the marks that make a number readable."""

from __future__ import annotations

from collections.abc import Sequence

from modeldiff.drawings.report.html import text
from modeldiff.drawings.style.metrics import METRICS, Metric
from modeldiff.text.formatting import format_pct

_TERMS = (
    (
        "Change",
        "Measured from base to target, element by element, as |target − base| / |base|. Tensors "
        "are paired by their place in the architecture, never by their order.",
    ),
    (
        "Floor",
        "The smallest relative step that the coarser of the two stored types can take: 0.39 % for "
        "bf16, 0.049 % for f16. A smaller change rounds away for most elements, so below the floor "
        "the share of unchanged elements says more than the median.",
    ),
    (
        "Ceiling",
        f"Two unrelated matrices of equal scale have a median of {format_pct(METRICS[0].ceiling)} "
        "(100 √2): there, the median tells target no longer from an unrelated one.",
    ),
    (
        "Dense or sparse",
        "Where the median is close to the relative Frobenius norm, the change is spread over all "
        "elements; where it is far below, few elements carry the change.",
    ),
    (
        "Merged",
        "Numbers of several tensors (experts, a component over all layers, a layer) are computed "
        "from their sums and histograms, never from their medians; such quantiles are "
        "within 1/64 of their value.",
    ),
    (
        "What misleads",
        "The cosine of norms, whose weights are all near one value; the share of changed elements "
        "alone; configs that are equal. No single number says how a model was trained.",
    ),
)


def guide_html(metrics: Sequence[Metric]) -> str:
    """Definitions of the metrics shown and of the report's words."""
    shown = [(metric.label, metric.description) for metric in metrics]
    items = "".join(
        f"<dt>{text(term)}</dt><dd>{text(meaning, 1000)}</dd>"
        for term, meaning in (*shown, *_TERMS)
    )
    return f'<dl class="terms">{items}</dl>'
