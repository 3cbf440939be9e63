"""What the commands print for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from modeldiff.architectures import FactPair
from modeldiff.architectures.graph.data_order import DataOrder
from modeldiff.changes import Change, ChangeTable, Pair, Shard, Statistics, Status
from modeldiff.changes.alignment.align import layers_of_one_side
from modeldiff.checkpoints import Checkpoint, TensorInfo
from modeldiff.cli.grouping import grouped, layers_text
from modeldiff.cli.json_documents import parameter_count
from modeldiff.cli.terminal import Terminal
from modeldiff.cli.text_table import sentence_lines, table_lines
from modeldiff.comparison import Comparison
from modeldiff.findings.status_words import STATUS_WORDS
from modeldiff.model import Model
from modeldiff.results import MeasuredShard, Result
from modeldiff.text.formatting import (
    counted,
    format_bytes,
    format_cosine,
    format_count,
    format_duration,
    format_layers,
    format_number,
    format_pct,
    format_shape,
)

if TYPE_CHECKING:
    from modeldiff.cli.chosen_rows import ChosenRows
    from modeldiff.findings.narrative import Narrative

_LISTED = 40
_PAGE = 120
"""Columns that facts take where no terminal says how many there are: one long sentence would set
all that stands beside it far apart."""
_NOT_COMPARED: tuple[Status, ...] = (
    "different_shape",
    "only_in_base",
    "only_in_target",
    "unreadable",
    "quantised",
)


def report_inspection(model: Model, terminal: Terminal) -> None:
    """Facts, then the tensors, those alike in all layers on one line."""
    checkpoint, architecture = model.checkpoint, model.architecture
    terminal.line(f"{model.reference}: {architecture.title}")
    terminal.line(
        f"{format_count(parameter_count(architecture))} parameters, "
        f"{format_bytes(checkpoint.nbytes)} {_kept_in(checkpoint)}, "
        f"{len(checkpoint.tensors):,} tensors"
    )
    terminal.heading("Architecture")
    facts = [(fact.label, fact.text, fact.source) for fact in architecture.facts]
    _table(terminal, ("fact", "", "from"), facts, at_most=_PAGE)
    terminal.heading("Tensors")
    order = DataOrder(parameter.place for parameter in architecture.parameters)
    groups = grouped(
        sorted(architecture.parameters, key=lambda p: order.column_position(p.place)),
        lambda p: (p.place.column, p.tensor.shape, p.tensor.dtype, p.role),
    )
    rows = [
        (
            column,
            layers_text(parameter.place for parameter in group),
            f"{len(group):,}",
            format_shape(shape),
            dtype,
            f"{sum(parameter.tensor.elements for parameter in group):,}",
            "" if role == "parameter" else role,
        )
        for (column, shape, dtype, role), group in groups.items()
    ]
    headers = ("component", "layers", "tensors", "shape", "type", "elements", "")
    _table(terminal, headers, rows, right=(2, 5))


def _mark(fact: FactPair) -> str:
    """Whether it differs, or is known of one side only."""
    return "" if fact.same else "*" if fact.differs else "?"


def report_comparison(comparison: Comparison, terminal: Terminal) -> None:
    """Facts side by side, those that differ marked and explained, then how the tensors pair up, and
    what differs beyond the weights."""
    facts = comparison.facts
    terminal.line(" → ".join(comparison.references))
    unknown = any(fact.one_sided for fact in facts)
    terminal.heading(f"Architecture (* differs{', ? known of one side only' if unknown else ''})")
    rows = [
        (
            _mark(fact),
            fact.label,
            fact.base.text if fact.base else "–",
            fact.target.text if fact.target else "–",
        )
        for fact in facts
    ]
    _table(terminal, ("", "fact", "base", "target"), rows, at_most=_PAGE)
    for fact in facts:
        if fact.meaning:
            sentence = f"{_mark(fact)} {fact.label}: {fact.meaning_beside_label}"
            for line in sentence_lines(sentence, terminal.width, 2):
                terminal.line(line)
    terminal.heading("Tensors")
    _report_statuses(comparison.unmeasured, terminal)
    base, target = comparison.base.architecture, comparison.target.architecture
    if layers_of_one_side(base, target):
        terminal.line(
            "Layers are paired by number here. Depths differ, so diff pairs them by content."
        )
    _report_shared_rows(comparison.unmeasured, terminal)
    _report_not_compared(comparison.unmeasured, terminal)
    # Late: a diff tells nothing of these.
    from modeldiff.cli.companion_report import report_companions
    from modeldiff.findings.companions import describe_companions

    report_companions(describe_companions(comparison.companions, facts), terminal)


def report_shard(shard: Shard, measured: MeasuredShard, terminal: Terminal) -> None:
    """How many tensors the shard has, and where its journal is."""
    nbytes = format_bytes(sum(change.pair.nbytes for change in measured.changes))
    terminal.line(f"Shard {shard}: {nbytes} of both sides")
    _report_statuses(measured.changes, terminal)
    if measured.journal is None:
        terminal.line("The result of the whole diff is already stored.")
    else:
        terminal.line(f"Journal for join: {measured.journal}")


def report_diff(result: Result, terminal: Terminal, chosen: ChosenRows | None = None) -> None:
    """The narrative, each component over all layers and layer by layer, the extremes or the rows
    that were ``chosen``, and what could not be compared."""
    header, changes = result.header, result.changes
    # Late: who wants a document or no words needs none of it.
    from modeldiff.findings.evidence import is_equal
    from modeldiff.findings.narrative import narrate
    from modeldiff.findings.summary import coarsest_step, summarize

    summary = summarize(changes)
    terminal.line(f"{header.base_reference} → {header.target_reference}")
    terminal.line(
        f"{format_bytes(summary.nbytes)} measured on {header.device} in "
        f"{format_duration(header.seconds)}, {header.created}"
    )
    _report_statuses(changes, terminal)
    _report_reading(narrate(changes, unread=header.unread), terminal)
    _report_layers(changes, terminal)
    if summary.statistics is not None:
        terminal.heading("Change in %, each component over all its layers")
        count = sum(change.statistics is not None for change in changes)
        whole = summary.statistics
        of_all = ("all together", "", f"{count:,}", *_numbers(whole), _nonfinite(whole))
        headers = ["component", "layers", "tensors", *_NUMBERS]
        if _has_nonfinite(summary.statistics):
            headers.append("not finite")
        rows = [row[: len(headers)] for row in (*_over_layers(changes), of_all)]
        _table(terminal, headers, rows, right=range(2, len(headers)), spare=(4,))
        _sentence(
            "Medians over several tensors are read from histograms: within 1/64 of their value.",
            terminal,
        )
        _report_floor(coarsest_step(changes), whole.unchanged_pct, terminal)
        # Late: it takes the drawings' colours, and a quiet diff shows none.
        from modeldiff.cli.heat.heat_table import report_heat_table

        report_heat_table(changes, terminal)
        if chosen is None:
            moved = [change for change in summary.most_changed if not is_equal(change)]
            _report_extremes("Most changed", moved, terminal)
            _report_extremes("Least changed", summary.least_changed, terminal)
    if chosen is not None:
        _report_chosen(chosen, terminal)
    _report_shared_rows(changes, terminal)
    _report_not_compared(changes, terminal)


def _report_layers(changes: ChangeTable, terminal: Terminal) -> None:
    """Which layer of target is which of base, where they were aligned."""
    from modeldiff.findings.measured.layer_alignment import layer_runs

    for tower, chain in changes.alignment.chains.items():
        terminal.heading(f"Layers of {tower}, target ← base" if tower else "Layers, target ← base")
        rows = [
            (
                format_layers(run.target).partition(" ")[2] if run.target else "removed",
                "←" if run.base and run.target else "",
                format_layers(run.base).partition(" ")[2] if run.base else "new",
            )
            for run in layer_runs(chain)
        ]
        _table(terminal, ("target", "", "base"), rows)
        terminal.line("--layers position pairs them by number.")


def _over_layers(changes: ChangeTable) -> Iterator[tuple[str, ...]]:
    """A line for each column of which something was measured."""
    merged = changes.merged("column")
    for column in changes.columns:
        places = [c.pair.place for c in changes.column(column) if c.statistics is not None]
        statistics = merged[column]
        if places and statistics is not None:
            yield (
                column,
                layers_text(places),
                f"{len(places):,}",
                *_numbers(statistics),
                _nonfinite(statistics),
            )


def _report_reading(narrative: Narrative, terminal: Terminal) -> None:
    terminal.heading("What the numbers say")
    for sentence in (narrative.headline, *narrative.facts):
        _sentence(sentence, terminal)
    if narrative.likeness:
        terminal.heading("What they may mean")
        for sentence in narrative.likeness:
            _sentence(sentence, terminal)


def _sentence(text: str, terminal: Terminal) -> None:
    for line in sentence_lines(f"- {text}", terminal.width, 2):
        terminal.line(line)


_NUMBERS = ("median", "p95", "unchanged", "Frobenius", "cosine")
_SHOWN = ("median_pct", "p95_pct", "unchanged_pct", "rel_frobenius_pct", "cosine", "name", "place")
"""The columns, by their names in exported tables, that a list of tensors shows anyway."""


def _numbers(statistics: Statistics) -> tuple[str, ...]:
    return (
        format_number(statistics.median_pct),
        format_number(statistics.p95_pct),
        format_number(statistics.unchanged_pct),
        format_number(statistics.rel_frobenius_pct),
        format_cosine(statistics.cosine),
    )


def _has_nonfinite(statistics: Statistics) -> bool:
    return bool(statistics.nonfinite_base or statistics.nonfinite_target)


def _nonfinite(statistics: Statistics) -> str:
    """How many elements of base and of target are NaN or infinite; empty where none is."""
    if not _has_nonfinite(statistics):
        return ""
    return f"{statistics.nonfinite_base or 0:,} → {statistics.nonfinite_target or 0:,}"


def _report_floor(floor: float | None, unchanged: float | None, terminal: Terminal) -> None:
    """The stored type's finest step, where there is one and some elements moved."""
    if floor is None or unchanged is None or unchanged in (0.0, 100.0):
        return
    _sentence(
        f"The stored type's finest step is {format_pct(floor)} of a value (of the coarser type): "
        "smaller updates show only in the share of unchanged elements.",
        terminal,
    )


def _report_extremes(title: str, changes: Sequence[Change], terminal: Terminal) -> None:
    if not changes:
        return
    terminal.heading(title)
    rows = [
        (_name(change.pair), format_shape(change.pair.base.shape), *_numbers(change.statistics))
        for change in changes
        if change.statistics is not None and change.pair.base is not None
    ]
    _table(terminal, ("tensor", "shape", *_NUMBERS), rows, right=range(2, 7), spare=(1, 3))


def _report_chosen(chosen: ChosenRows, terminal: Terminal) -> None:
    """The tensors that were asked for, one by one."""
    terminal.heading(f"Tensors: {chosen.words}")
    numbers = range(2, 2 + len(_NUMBERS))
    headers = ["tensor", "shape", *_NUMBERS]
    rows = [
        (_name(row.pair), format_shape(row.pair.shapes[0] or row.pair.shapes[1]), *_measured(row))
        for row in chosen.rows
    ]
    if chosen.order is not None and chosen.order not in _SHOWN:
        headers.append(chosen.order)
        rows = [(*row, cell) for row, cell in zip(rows, chosen.order_cells, strict=True)]
    if rows:
        _table(terminal, headers, rows, right=[*numbers, len(headers) - 1], spare=(1, 3, 6, 5))
    for sentence in chosen.notes:
        _sentence(sentence, terminal)


def _measured(change: Change) -> tuple[str, ...]:
    """A row's numbers, or why it has none."""
    if change.statistics is not None:
        return _numbers(change.statistics)
    return (STATUS_WORDS[change.pair.status].label, *("",) * (len(_NUMBERS) - 1))


def _kept_in(checkpoint: Checkpoint) -> str:
    files = len(checkpoint.files)
    if not files:
        return "by its config"
    return f"in {counted(files, f'{checkpoint.format} file')}"


def _report_statuses(changes: ChangeTable, terminal: Terminal) -> None:
    counts = changes.statuses
    parts = [
        f"{counts[status]:,} {words.counted}"
        for status, words in STATUS_WORDS.items()
        if status in counts
    ]
    partial = sum(change.pair.shared is not None for change in changes)
    if partial:
        parts.append(f"{partial:,} of them in part")
    terminal.line(": ".join(filter(None, (counted(len(changes), "tensor"), ", ".join(parts)))))


def _report_shared_rows(changes: ChangeTable, terminal: Terminal) -> None:
    """What was compared by a part of its rows."""
    pairs = [change.pair for change in changes.ordered() if change.pair.shared is not None]
    if pairs:
        terminal.heading("Compared by the rows that both have")
        headers = ("component", "base", "target", "")
        rows = [
            (each.place.column, *(format_shape(shape) for shape in each.shapes), each.reason)
            for each in pairs
        ]
        _table(terminal, headers, rows)


def _report_not_compared(changes: ChangeTable, terminal: Terminal) -> None:
    """What has no statistics, a table a status, rows that differ in their layer only on one
    line."""
    pairs = [change.pair for change in changes.ordered()]
    for status in _NOT_COMPARED:
        groups = grouped(
            (pair for pair in pairs if pair.status == status),
            lambda p: (p.place.column, _described(p.base), _described(p.target), p.reason),
        )
        if not groups:
            continue
        terminal.heading(f"Not compared: {STATUS_WORDS[status].counted}")
        rows = [
            (column, layers_text(pair.place for pair in group), f"{len(group):,}", *sides)
            for (column, *sides), group in groups.items()
        ]
        headers = ["component", "layers", "tensors", "base", "target", ""]
        if not any(reason for *_, reason in rows):
            headers, rows = headers[:-1], [row[:-1] for row in rows]
        _table(terminal, headers, rows[:_LISTED], right=(2,))
        if len(rows) > _LISTED:
            terminal.line(f"… and {len(rows) - _LISTED:,} more lines: --json lists every tensor.")


def _table(
    terminal: Terminal,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    spare: Sequence[int] = (),
    at_most: int | None = None,
) -> None:
    """A table as wide as the terminal allows, or ``at_most`` so wide where there is none."""
    width = terminal.width or at_most
    terminal.lines(table_lines(headers, rows, right=right, spare=spare, width=width))


def _name(pair: Pair) -> str:
    tensor, (base, target) = pair.base or pair.target, pair.place.numbers
    name = tensor.label if tensor else ""
    moved = base is not None and target is not None and base != target
    return f"{name} (in target's layer {target})" if moved else name


def _described(tensor: TensorInfo | None) -> str:
    return f"{format_shape(tensor.shape)} {tensor.dtype}" if tensor else "–"
