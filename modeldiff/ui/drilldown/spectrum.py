"""The singular values of a change, or of one model's weights, and what they say."""

from __future__ import annotations

import streamlit as st

from modeldiff.changes import Pair, SingularValues
from modeldiff.comparison import Comparison
from modeldiff.drawings.charts.spectrum import spectrum_alt, spectrum_chart
from modeldiff.drawings.charts.vega_spec import chart_spec
from modeldiff.text.formatting import format_pct, format_small
from modeldiff.ui.drilldown.view import DrillDownView

_TOPS = (1, 4, 16, 64, 256)
_MOST_ENERGY = 0.9


def _show(comparison: Comparison, pair: Pair, spectrum: SingularValues) -> None:
    del comparison, pair
    show_spectrum(spectrum)


def show_spectrum(spectrum: SingularValues) -> None:
    """The verdict on the rank, the numbers behind it, the chart, and how exact all that is."""
    weights = spectrum.of == "weights"
    whose = "matrix's" if weights else "change's"
    if spectrum.energy <= 0:
        nothing = "All its elements are 0" if weights else "Nothing changed"
        st.markdown(f"**{nothing}**, so there are no singular values to show.")
        return
    st.markdown(_concentration(spectrum) if weights else _verdict(spectrum))
    low, high = spectrum.effective_rank or (0.0, 0.0)
    rank = f"{low:,.1f}" if high - low < 0.05 * low else f"{low:,.0f} – {high:,.0f}"
    possible = f"of {spectrum.possible_rank:,} possible"
    with st.grid(3, min_column_width=90):
        st.metric("Effective rank", rank, help=f"exp of the entropy of σ/Σσ, {possible}.")
        stable = spectrum.stable_rank
        st.metric(
            "Stable rank",
            "–" if stable is None else f"{stable:,.1f}",
            help=f"Σσ² / σ₁², {possible}: hardly moved by small singular values.",
        )
        share = spectrum.energy_share(1)
        st.metric(
            "Top 1",
            "–" if share is None else format_pct(100 * share),
            help=f"Share of the {whose} energy (its squared Frobenius norm) in the largest one.",
        )
    chart = spectrum_chart(spectrum)
    if chart is not None:
        st.vega_lite_chart(spec=chart_spec(chart), key="spectrum_chart", alt=spectrum_alt(spectrum))
    shares = {
        f"top {count:,}": format_pct(100 * share)
        for count in _TOPS
        if count <= spectrum.possible_rank and (share := spectrum.energy_share(count)) is not None
    }
    st.caption(f"Share of the {whose} energy in the largest singular values")
    st.table(
        {name: [text] for name, text in shares.items()},
        border="horizontal",
        hide_index=True,
        alt=f"Share of the {whose} energy in the largest singular values",
    )
    st.caption(_exactness(spectrum))


def _concentration(spectrum: SingularValues) -> str:
    """How few of a matrix's singular values carry most of it."""
    possible = f"of {spectrum.possible_rank:,} singular values"
    most = spectrum.rank_of_energy(_MOST_ENERGY)
    if most is not None:
        return f"**{most:,} {possible}** have {_MOST_ENERGY:.0%} of the matrix's energy."
    known = len(spectrum.values)
    share = format_pct(100 * (spectrum.energy_share(known) or 0.0))
    return f"**The leading {known:,} {possible}** have {share} of the matrix's energy."


def _verdict(spectrum: SingularValues) -> str:
    if spectrum.known_rank is not None:
        return _of_the_adapter(spectrum, spectrum.known_rank)
    if spectrum.only_rounding:
        return (
            "**No more than rounding.** The change has no more energy than rounding target to its "
            "stored type makes, so its singular values say nothing about a rank."
        )
    rank = spectrum.fitting_rank
    if rank is None and spectrum.trials:
        tried = " or ".join(f"{tried:,}" for tried, _ in spectrum.trials)
        return (
            f"**No rank is certain.** {spectrum.signal:,} singular values stand above independent "
            f"rounding, but an update of rank {tried}, rounded as target is stored, would not "
            "leave what stands beside it."
        )
    if rank is None:
        possible = f"{spectrum.possible_rank:,} singular values"
        above = {0: f"None of the {possible}", spectrum.possible_rank: f"All {possible}"}
        some = above.get(spectrum.signal, f"{spectrum.signal:,} of {possible}")
        if not spectrum.exact and spectrum.signal == len(spectrum.values):
            some = f"All {spectrum.signal:,} that were computed, of {possible},"
        return f"**Fits no low rank.** {some} stand above what rounding alone makes."
    share = format_pct(100 * (spectrum.energy_share(rank) or 0.0))
    stand = "One singular value stands" if rank == 1 else f"{rank:,} singular values stand"
    return (
        f"**Fits a rank-{rank:,} update.** {stand} above what rounding alone makes, with "
        f"{share} of the change's energy; the rest is no more than rounding explains."
    )


def _of_the_adapter(spectrum: SingularValues, rank: int) -> str:
    """What is known of an update whose factors an adapter holds."""
    size = 100 * (spectrum.energy / spectrum.base_energy) ** 0.5 if spectrum.base_energy else None
    beside = "" if size is None else f" Its norm is {format_pct(size)} of the weights'."
    return (
        f"**The adapter's update, rank {rank:,}.** These are its own singular values, from its "
        f"factors, before it is added and rounded.{beside}"
    )


def _exactness(spectrum: SingularValues) -> str:
    largest = float(spectrum.values[0]) if spectrum.values.size else 0.0
    share = spectrum.error / largest if largest else 0.0
    off = f"{format_small(spectrum.error)} ({share:.1g} of the largest)"
    whole = "change" if spectrum.of == "change" else "matrix"
    if spectrum.known_rank is not None:
        text = f"From the adapter's factors, each within {off}; all others are 0."
    elif spectrum.exact:
        text = f"All {spectrum.possible_rank:,} were computed, each within {off}."
    else:
        text = (
            f"The leading {len(spectrum.values):,} of {spectrum.possible_rank:,}, by randomised "
            f"iteration: none is too large, and none lacks more than {off}. The shares are "
            f"of the whole {whole}, the effective rank is bounded by what the others can be."
        )
    if spectrum.nonfinite:
        counted = "unchanged" if spectrum.of == "change" else "0"
        text += f" {spectrum.nonfinite:,} elements that are no finite numbers count as {counted}."
    return text


SPECTRUM_VIEW = DrillDownView(label=lambda *_: "Singular values", show=_show)
