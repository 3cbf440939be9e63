"""The rows of a finished diff, with what samples show of how target's tensors come from base's.

Only suspects are looked at (see ``suspects``): one of each column first, and where that is base's
in another order, scaled or turned, all of the column. What is read to find out is bounded by a
share of the pair, what is read then by its size; what stands in memory by the samples of
``_TOGETHER`` tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np

from modeldiff.architectures.place import Place
from modeldiff.changes.change import Change
from modeldiff.changes.engine.tensor_files import OpenFiles
from modeldiff.changes.relation import Relation
from modeldiff.changes.relations.checks import CHECKS, Answer, check_vector
from modeldiff.changes.relations.experts import match_experts
from modeldiff.changes.relations.mixed_rows import Mix, match_mixed, mixed_vector
from modeldiff.changes.relations.namesakes import match_names
from modeldiff.changes.relations.sampling import (
    LONGEST_AXIS,
    Budget,
    BudgetSpent,
    PairSamples,
    can_be_sampled,
)
from modeldiff.changes.relations.suspects import (
    PlaceGroup,
    by_group,
    by_layer,
    first_looks,
    has_recipe,
    is_moved_vector,
    is_suspect,
    of_their_shapes,
    place_group,
)
from modeldiff.changes.table.change_table import ChangeTable
from modeldiff.checkpoints import Checkpoint
from modeldiff.checkpoints.tensor import TensorUnreadable

BUDGET = 256 << 20
BUDGET_SHARE = 1 / 4
"""So many bytes of both sides may be read to find out, of large pairs this share of them."""
_TOGETHER = 8
"""So many tensors are sampled at the same time."""
_MOST_OF_A_LAYER = 64
"""Among more tensors in one place no partners are looked for."""

_Fetching = Callable[[int, int], None]


def relate(
    changes: ChangeTable,
    base: Checkpoint,
    target: Checkpoint,
    fetching: _Fetching | None = None,
    looking: Callable[[], None] | None = None,
) -> ChangeTable:
    """The rows with their relations, where samples show one; the same table where there is none.

    ``fetching`` is called with bytes that are here and all bytes of a file that has to be
    downloaded first, ``looking`` before every few reads; what they raise ends it. Raises
    ``CheckpointChanged``, and what fetching raises.
    """
    looking = looking or (lambda: None)
    of_adapters: Mapping[Place, Relation] = {}
    if any(map(has_recipe, changes)):
        # Late: of most pairs neither is an adapter.
        from modeldiff.changes.relations.adapters import relate_adapters

        of_adapters = relate_adapters(changes, (base, target), fetching, looking)
    suspects = [c for c in changes if is_suspect(c) and c.pair.place not in of_adapters]
    if not suspects and not of_adapters:
        return changes
    whole = sum(change.pair.nbytes for change in changes)
    search = _Search(changes, suspects, (base, target), fetching, looking)
    # Numbers whose squares are beyond the type's are like no others, and need no warning.
    with np.errstate(all="ignore"):
        with search.spending(max(BUDGET, int(BUDGET_SHARE * whole))):
            for chosen in first_looks(suspects):
                search.look_at(chosen)
        with search.spending(max(BUDGET, whole)):
            for rows in by_layer(search.alike(suspects)):
                search.look_at(rows)
            search.look_at_vectors()
    relations = {**search.relations(), **of_adapters}
    if not relations:
        return changes
    return changes.with_measured(
        replace(change, relation=relations[change.pair.place])
        for change in changes
        if change.pair.place in relations
    )


class _Search:
    """What was answered so far, by layer and expert."""

    def __init__(
        self,
        changes: ChangeTable,
        suspects: Sequence[Change],
        checkpoints: tuple[Checkpoint, Checkpoint],
        fetching: _Fetching | None,
        looking: Callable[[], None],
    ) -> None:
        self._changes = changes
        known = {change.pair.place for change in suspects}
        self._suspects = by_group(suspects)
        self._calm = by_group(c for c in changes if c.pair.place not in known)
        self._checkpoints = checkpoints
        self._budget = Budget(0)
        self._fetching = fetching
        self._looking = looking
        self._answers: dict[PlaceGroup, dict[Place, Answer]] = {}

    @contextmanager
    def spending(self, nbytes: int) -> Iterator[None]:
        """Look for as long as no more is read than this; what was answered by then stays."""
        self._budget = Budget(nbytes)
        with suppress(BudgetSpent):
            yield

    def relations(self) -> Mapping[Place, Relation]:
        """The relation of each place that has one, with its partners."""
        return {
            place: replace(
                answer.relation,
                partners=answer.relation.partners + _partners(place, answer, answers),
            )
            for answers in self._answers.values()
            for place, answer in answers.items()
        }

    def alike(self, suspects: Sequence[Change]) -> list[Change]:
        """Those in whose column one was answered, and that were not themselves."""
        columns = {place.column for answers in self._answers.values() for place in answers}
        return [
            change
            for change in suspects
            if change.pair.place.column in columns and not self._is_answered(change)
        ]

    def look_at(self, rows: Sequence[Change]) -> None:
        """Look at suspects of one layer: experts as a whole first."""
        of_experts = (change for change in rows if change.pair.place.expert is not None)
        for change in {c.pair.place.column: c for c in of_experts}.values():
            if not self._is_answered(change):
                self._match_experts(change)
        for group, members in by_group(rows).items():
            for some in _few_at_once(members):
                self._look_together(group, some)
            whole = self._suspects[group]
            if len(members) < len(whole) <= _TOGETHER and not all(map(self._is_answered, members)):
                self._look_beyond(group, whole)

    def look_at_vectors(self) -> None:
        """Look at norms and biases of layers in which matrices were answered."""
        vectors: dict[PlaceGroup, list[Change]] = {}
        for change in self._changes:
            if self._answers.get(place_group(change)) and is_moved_vector(change):
                vectors.setdefault(place_group(change), []).append(change)
        for group, rows in vectors.items():
            answers = self._answers[group]
            of_matrices = _last(answers)
            for some in _few_at_once(rows):
                with self._samples(some) as all_samples:
                    for samples in all_samples:
                        if samples.rows <= LONGEST_AXIS:
                            self._look_at_vector(samples, answers, of_matrices)

    def _look_at_vector(
        self, samples: PairSamples, answers: dict[Place, Answer], of_matrices: Sequence[Answer]
    ) -> None:
        place = samples.pair.place
        own = answers.get(replace(place, parameter="weight"))
        with suppress(TensorUnreadable):
            if own is not None and own.mix is not None:
                answer = self._mixed_vector(samples, own.mix)
            else:
                answer = check_vector(samples.elements, own, of_matrices)
            if answer:
                answers[place] = answer

    def _mixed_vector(self, samples: PairSamples, mix: Mix) -> Answer | None:
        """What a vector beside a matrix that holds rows of others holds of their vectors."""
        parameter = samples.pair.place.parameter
        places = (replace(member, parameter=parameter) for member in mix.members)
        rows = [row for place in places if (row := self._changes.at(place)) is not None]
        if len(rows) < len(mix.members) or not all(can_be_sampled(row.pair) for row in rows):
            return None
        with self._samples(rows) as all_samples:
            # A vector has an element a row, which columns that are others' do not tell of.
            if tuple(each.rows for each in all_samples) != mix.rows:
                return None
            base = np.concatenate([each.elements.base.reshape(-1, 1) for each in all_samples])
        own, target = (side.reshape(-1, 1) for side in samples.elements)
        relation = mixed_vector(mix, base, target, own)
        return None if relation is None else Answer(relation)

    def _look_together(self, group: PlaceGroup, rows: Sequence[Change]) -> None:
        answers = self._answers.setdefault(group, {})
        with self._samples(rows) as all_samples:
            self._match_names(answers, all_samples)
            for check in CHECKS:
                for samples in all_samples:
                    place = samples.pair.place
                    with suppress(TensorUnreadable):
                        if place not in answers and (answer := check(samples, _last(answers))):
                            answers[place] = answer
            self._match_mixed(answers, all_samples)
            beside = of_their_shapes(
                self._calm.get(group, ()), [row for row in rows if row.pair.place not in answers]
            )
            if 0 < len(beside) <= _TOGETHER:
                with self._samples(beside) as others:
                    self._match_names(answers, all_samples, others)

    def _match_names(
        self,
        answers: dict[Place, Answer],
        all_samples: Sequence[PairSamples],
        beside: Sequence[PairSamples] = (),
    ) -> None:
        left = [each for each in all_samples if each.pair.place not in answers]
        with suppress(TensorUnreadable):
            named = match_names(left, beside)
            answers.update((place, Answer(relation)) for place, relation in named.items())

    def _look_beyond(self, group: PlaceGroup, rows: Sequence[Change]) -> None:
        """Look at all suspects of a layer, of which some alone were chosen, for rows that they have
        of each other."""
        with self._samples([c for c in rows if not self._is_answered(c)]) as all_samples:
            self._match_mixed(self._answers.setdefault(group, {}), all_samples)

    def _match_mixed(
        self, answers: dict[Place, Answer], all_samples: Sequence[PairSamples]
    ) -> None:
        left = [each for each in all_samples if each.pair.place not in answers]
        with suppress(TensorUnreadable):
            for place, (relation, mix) in match_mixed(left).items():
                answers[place] = Answer(relation, mix=mix)

    def _match_experts(self, change: Change) -> None:
        """Which expert of base each is, of one matrix of the experts of a layer."""
        place = change.pair.place
        cell = self._changes.cell(place.layer, place.column)
        rows = [row for row in cell if row.statistics and can_be_sampled(row.pair)]
        with self._samples(rows) as all_samples, suppress(TensorUnreadable):
            own = {each.pair.place.expert or 0: each for each in all_samples}
            for expert, relation in match_experts(own).items():
                moved = own[expert].pair.place
                group = moved.tower, moved.layer, moved.expert
                self._answers.setdefault(group, {})[moved] = Answer(relation)

    @contextmanager
    def _samples(self, rows: Sequence[Change]) -> Iterator[tuple[PairSamples, ...]]:
        """Samples of these rows, whose files are open meanwhile."""
        sides = ([row.pair.base for row in rows], [row.pair.target for row in rows])
        tensors = [[tensor for tensor in side if tensor is not None] for side in sides]
        files = tuple(map(OpenFiles, self._checkpoints, tensors))
        base, target = files
        self._looking()
        try:
            for each in files:
                for name in each.names:
                    each.fetch(name, self._fetching if each.bytes_to_download(name) else None)
            yield tuple(
                PairSamples(row.pair, (base, target), self._budget, self._looking) for row in rows
            )
            for each, own in zip(files, tensors, strict=True):
                for tensor in own:
                    each.done(tensor)
        finally:
            for each in files:
                each.close()

    def _is_answered(self, change: Change) -> bool:
        return change.pair.place in self._answers.get(place_group(change), {})


def _few_at_once(rows: Sequence[Change]) -> Iterator[Sequence[Change]]:
    for start in range(0, len(rows), _TOGETHER):
        yield rows[start : start + _TOGETHER]


def _last(answers: Mapping[Place, Answer]) -> Sequence[Answer]:
    """The last few: in what is no layer there may be thousands."""
    return tuple(answers.values())[-_TOGETHER:]


def _partners(place: Place, answer: Answer, answers: Mapping[Place, Answer]) -> tuple[str, ...]:
    """The columns of the other tensors of the layer that go with this one."""
    if len(answers) > _MOST_OF_A_LAYER:
        return ()
    others = (other for other, own in answers.items() if other != place and answer.goes_with(own))
    return tuple(dict.fromkeys(other.column for other in others))
