"""Behind one row of a change table: planted changes are found where they were planted, and every
number is that of plain NumPy in float64."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeldiff.architectures import Place, understand
from modeldiff.changes import Change, Measurement, Pair, Progress, pair
from modeldiff.changes.drilldown import (
    expert_changes,
    measure_image,
    measure_rows,
    measure_singular_values,
    measure_units,
    units_of,
)
from modeldiff.changes.drilldown.spectrum.numpy_linear_algebra import NumpyAlgebra
from modeldiff.checkpoints import Checkpoint, open_checkpoint
from modeldiff.errors import Cancelled, InvalidOption
from tests.support.safetensors_files import encode as encode_file
from tests.support.safetensors_files import entry
from tests.support.slow_statistics import decode, encode
from tests.support.stored_values import SPECIAL

Matrix = npt.NDArray[np.float64]
CONFIG = {
    "model_type": "llama",
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "hidden_size": 128,
    "num_hidden_layers": 1,
}


def write(folder: Path, tensors: Mapping[str, tuple[str, Matrix]]) -> Checkpoint:
    folder.mkdir(parents=True, exist_ok=True)
    header, data = {}, b""
    for name, (dtype, values) in tensors.items():
        raw = encode(values.reshape(-1), dtype).tobytes()
        header[name] = entry(dtype, list(values.shape), len(data), len(data) + len(raw))
        data += raw
    (folder / "model.safetensors").write_bytes(encode_file(header, data))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return open_checkpoint(str(folder))


def one_pair(
    folder: Path,
    base: Matrix,
    target: Matrix,
    *,
    name: str = "model.layers.0.self_attn.q_proj.weight",
    types: tuple[str, str] = ("BF16", "BF16"),
) -> tuple[Pair, Checkpoint, Checkpoint]:
    one = write(folder / "base", {name: (types[0], base)})
    other = write(folder / "target", {name: (types[1], target)})
    (tensors,) = pair(understand(one), understand(other))
    return tensors, one, other


def stored(values: Matrix, dtype: str = "BF16") -> Matrix:
    """What is left of values once they are stored."""
    return decode(encode(values.reshape(-1), dtype), dtype).reshape(values.shape)


def noise(*shape: int, seed: int = 0, scale: float = 1.0) -> Matrix:
    return np.random.default_rng(seed).standard_normal(shape) * scale


def frobenius_pct(base: Matrix, target: Matrix) -> float:
    finite = np.isfinite(base) & np.isfinite(target)
    if not finite.any():
        return float("nan")
    size, moved = np.linalg.norm(base[finite]), np.linalg.norm((target - base)[finite])
    if size == 0:
        return float("inf") if moved else 0.0
    return float(100 * moved / size)


class TestUnits:
    @pytest.mark.parametrize(
        ("component", "shape", "axis", "kind", "count"),
        [
            ("self_attn.q_proj", (128, 96), 0, "query head", 8),
            ("self_attn.k_proj", (32, 96), 0, "KV head", 2),
            ("self_attn.o_proj", (96, 128), 1, "query head", 8),
            ("mlp.up_proj", (300, 96), 0, "neuron block", 64),
            ("mlp.down_proj", (96, 300), 1, "neuron block", 64),
            ("mlp.gate_proj", (10, 96), 0, "neuron block", 10),
        ],
    )
    def test_one_planted_unit_is_found_and_measured_as_a_tensor_of_its_own(
        self,
        component: str,
        shape: tuple[int, int],
        axis: int,
        kind: str,
        count: int,
        tmp_path: Path,
    ) -> None:
        base = stored(noise(*shape))
        target = base.copy()
        edges = [i * shape[axis] // count for i in range(count + 1)]
        planted = count // 2
        place: list[slice] = [slice(None), slice(None)]
        place[axis] = slice(edges[planted], edges[planted + 1])
        target[tuple(place)] *= 1.5
        name = f"model.layers.0.{component}.weight"
        tensors, one, other = one_pair(tmp_path, base, target, name=name)
        units = units_of(tensors, understand(one))
        assert units is not None
        assert (units.kind, units.axis, list(units.edges)) == (kind, axis, edges)
        changes = measure_units(tensors, units, one, other)
        moved = [each.unchanged_pct != 100 for each in changes.statistics]
        assert moved == [number == planted for number in range(count)]
        part, changed = base[tuple(place)], stored(target)[tuple(place)]
        expected = Measurement.of(part.astype(np.float32), changed.astype(np.float32)).finish()
        assert changes.statistics[planted].median_pct == expected.median_pct
        assert changes.statistics[planted].rel_frobenius_pct == pytest.approx(50, rel=1e-2)

    def test_query_heads_know_their_kv_head(self, tmp_path: Path) -> None:
        tensors, one, _ = one_pair(tmp_path, noise(128, 8), noise(128, 8, seed=1))
        units = units_of(tensors, understand(one))
        assert units is not None
        assert units.groups == (0, 0, 0, 0, 1, 1, 1, 1)

    def test_columns_in_several_turns_are_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = "model.layers.0.mlp.down_proj.weight"
        tensors, one, other = one_pair(tmp_path, noise(50, 70), noise(50, 70, seed=1), name=name)
        units = units_of(tensors, understand(one))
        assert units is not None
        whole = measure_units(tensors, units, one, other)
        monkeypatch.setattr("modeldiff.changes.drilldown.units._GATHERED_BYTES", 3000)
        assert measure_units(tensors, units, one, other) == whole

    def test_norms_and_embeddings_have_no_units(self, tmp_path: Path) -> None:
        for name in ("model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"):
            tensors, one, _ = one_pair(tmp_path, noise(8), noise(8), name=name)
            assert units_of(tensors, understand(one)) is None

    def test_experts_come_from_the_rows_that_are_there(self) -> None:
        def row(expert: int, moved: float) -> Change:
            place = Place(3, "mlp.experts.up_proj", expert=expert)
            base = noise(64).astype(np.float32)
            statistics = Measurement.of(base, base * np.float32(1 + moved)).finish()
            return Change(Pair(place, "compared", None, None), statistics)

        rows = [row(expert, 0.5 if expert == 5 else 0.0) for expert in range(8)]
        experts = expert_changes(rows, Place(3, "mlp.experts.up_proj"))
        assert [e for e, each in experts.items() if each.median_pct] == [5]
        assert expert_changes(rows, Place(2, "mlp.experts.up_proj")) == {}


class TestRows:
    NAME = "model.embed_tokens.weight"

    def test_one_planted_token(self, tmp_path: Path) -> None:
        base = stored(noise(1000, 33))
        target = base.copy()
        target[417] = -target[417]
        tensors, one, other = one_pair(tmp_path, base, target, name=self.NAME)
        rows = measure_rows(tensors, one, other)
        assert rows.most_moved(1).tolist() == [417]
        assert rows.rel_frobenius_pct[417] == pytest.approx(200)
        assert rows.unchanged_pct[417] == 0
        assert len(rows.least_moved()) == len(rows) == 1000
        assert rows.least_moved()[-1] == 417
        assert set(np.delete(rows.unchanged_pct, 417)) == {100.0}

    def test_untrained_rows_stand_out(self, tmp_path: Path) -> None:
        base = stored(noise(200, 16))
        base[50:60] = base[50]
        base[70] *= 0.01
        base[[90, 91]] = 0
        tensors, one, other = one_pair(tmp_path, base, base, name=self.NAME)
        rows = measure_rows(tensors, one, other)
        assert rows.alike().tolist() == [*range(50, 60), 90, 91]
        assert len(set(rows.twins[50:60])) == len(set(rows.twins[90:92])) == 1
        assert rows.twins[50] != rows.twins[90]
        assert rows.faint().tolist() == [70, 90, 91]

    @given(data=st.data())
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_values_of_any_types(self, data: st.DataObject, tmp_path: Path) -> None:
        rows, columns = data.draw(st.sampled_from([(1, 1), (3, 7), (40, 5), (2, 600)]))
        kinds = st.sampled_from(["F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2"])
        types = data.draw(kinds), data.draw(kinds)
        random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        scale = 10.0 ** data.draw(st.sampled_from([0, -3, -22, -30, 18]))
        sides = []
        with np.errstate(all="ignore"):
            for dtype in types:
                values = random.standard_normal((rows, columns)) * scale
                special = random.random(values.shape) < data.draw(st.sampled_from([0, 0.1, 1]))
                values[special] = random.choice(SPECIAL, int(special.sum()))
                sides.append(stored(values, dtype))
            same = random.random((rows, columns)) < 0.3
            sides[1][same] = sides[0][same]
            sides[1] = stored(sides[1], types[1])
        tensors, one, other = one_pair(tmp_path, *sides, name=self.NAME, types=types)
        got = measure_rows(tensors, one, other)
        image = measure_image(tensors, one, other)
        with np.errstate(all="ignore"):
            expected = [frobenius_pct(a, b) for a, b in zip(*sides, strict=True)]
            np.testing.assert_allclose(got.rel_frobenius_pct, expected, rtol=3e-6)
            for row, (a, b) in enumerate(zip(*sides, strict=True)):
                finite = np.isfinite(a) & np.isfinite(b)
                assert got.nonfinite[row] == (~finite).sum()
                if finite.any():
                    wanted = 100 * (a == b)[finite].mean()
                    assert got.unchanged_pct[row] == pytest.approx(wanted)
                    largest = np.abs(b - a)[finite].max()
                    assert got.max_abs_delta[row] == pytest.approx(largest, rel=1e-6)
            if (rows, columns) == (3, 7):
                each = [
                    [frobenius_pct(a, b) for a, b in zip(*r, strict=True)]
                    for r in zip(sides[0][..., None], sides[1][..., None], strict=True)
                ]
                np.testing.assert_allclose(image.pct, np.array(each, np.float32), rtol=3e-6)


class TestImage:
    def test_blocks_are_those_of_the_matrix(self, tmp_path: Path) -> None:
        base, target = stored(noise(37, 1100)), stored(noise(37, 1100, seed=1))
        tensors, one, other = one_pair(tmp_path, base, target)
        image = measure_image(tensors, one, other, blocks=16)
        assert (image.height, image.width, image.rows, image.columns) == (16, 16, 37, 1100)
        rows, columns = ([i * size // 16 for i in range(17)] for size in (37, 1100))
        for i in range(16):
            for j in range(16):
                part = slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1])
                wanted = frobenius_pct(base[part], target[part])
                assert image.pct[i, j] == pytest.approx(wanted, rel=1e-5)

    def test_a_block_row_read_in_pieces_is_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tensors, one, other = one_pair(tmp_path, noise(700, 9), noise(700, 9, seed=1))
        whole = measure_image(tensors, one, other, blocks=5)
        monkeypatch.setattr(
            "modeldiff.changes.drilldown.pair_reader.PairReader.blocks",
            lambda self: [(i, min(i + 33, 700)) for i in range(0, 700, 33)],
        )
        np.testing.assert_allclose(measure_image(tensors, one, other, blocks=5).pct, whole.pct)


class TestSingularValues:
    @pytest.mark.parametrize("shape", [(60, 200), (200, 60), (64, 64), (1, 5)])
    @pytest.mark.parametrize("method", ["lapack", "gram"])
    @pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
    def test_exact_ones_are_those_of_the_change(
        self,
        shape: tuple[int, int],
        method: str,
        device: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if method == "gram":
            monkeypatch.setattr(
                "modeldiff.changes.drilldown.spectrum.singular_values._SMALL_SIDE", 0
            )
            monkeypatch.setattr("modeldiff.changes.drilldown.spectrum.singular_values._PANEL", 900)
        base, target = stored(noise(*shape)), stored(noise(*shape, seed=1))
        base[0, 0] = np.nan
        tensors, one, other = one_pair(tmp_path, base, target)
        got = measure_singular_values(tensors, one, other, device=device)
        delta = np.where(np.isfinite(base), target - base, 0)
        wanted = np.linalg.svd(delta, compute_uv=False)
        assert (got.method, got.exact, got.nonfinite) == (method, True, 1)
        assert np.abs(got.values - wanted).max() <= got.error + 1e-12
        assert got.energy == pytest.approx((delta**2).sum(), rel=1e-6)
        p = wanted / wanted.sum()
        assert got.effective_rank is not None
        assert got.effective_rank[0] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)
        assert got.stable_rank == pytest.approx((wanted**2).sum() / wanted[0] ** 2, rel=1e-5)
        assert got.energy_share(1) == pytest.approx(wanted[0] ** 2 / (wanted**2).sum(), rel=1e-5)
        assert got.fitting_rank is None

    @pytest.mark.parametrize("shape", [(60, 40), (40, 60)])
    @pytest.mark.parametrize("small_side", [1024, 0])
    def test_those_of_one_models_weights_are_those_of_svd(
        self,
        shape: tuple[int, int],
        small_side: int,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        module = "modeldiff.changes.drilldown.spectrum.singular_values"
        monkeypatch.setattr(f"{module}._SMALL_SIDE", small_side)
        # Several panels, so that what stands in a buffer of the reader is read over.
        monkeypatch.setattr(f"{module}._PANEL", 400)
        base = stored(noise(*shape))
        base[1, 2] = np.inf
        tensors, one, other = one_pair(tmp_path, base, stored(noise(*shape, seed=1)))
        got = measure_singular_values(tensors, one, other, of="weights", device="cpu")
        weights = np.where(np.isfinite(base), base, 0)
        wanted = np.linalg.svd(weights, compute_uv=False)
        assert np.abs(got.values - wanted).max() <= got.error + 1e-12
        assert (got.of, got.nonfinite, got.trials, got.fitting_rank) == ("weights", 1, (), None)
        assert got.energy == pytest.approx((weights**2).sum(), rel=1e-6)
        shares = np.cumsum(wanted**2) / (wanted**2).sum()
        assert got.rank_of_energy(0.9) == int(np.searchsorted(shares, 0.9)) + 1

    @pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
    def test_leading_ones_of_a_large_matrix_are_within_their_error(
        self, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for algebra in (
            "modeldiff.changes.drilldown.spectrum.numpy_linear_algebra.NumpyAlgebra",
            "modeldiff.changes.drilldown.spectrum.torch_linear_algebra.TorchAlgebra",
        ):
            monkeypatch.setattr(f"{algebra}.side", 8)
        monkeypatch.setattr("modeldiff.changes.drilldown.spectrum.singular_values._SMALL_SIDE", 8)
        base = noise(400, 300)
        delta = noise(400, 40, seed=1) * np.geomspace(1, 0.01, 40) @ noise(40, 300, seed=2)
        delta += noise(400, 300, seed=3, scale=0.02)
        tensors, one, other = one_pair(tmp_path, base, base + delta, types=("F32", "F32"))
        got = measure_singular_values(tensors, one, other, device=device)
        true = np.linalg.svd(delta, compute_uv=False)
        assert not got.exact
        assert np.abs(got.values[:40] - true[:40]).max() <= got.error + 1e-5 * true[0]
        low, high = got.effective_rank or (0, 0)
        p = true / true.sum()
        assert low <= np.exp(-(p * np.log(p)).sum()) <= high

    @pytest.mark.parametrize(
        "words",
        [
            "CUDA out of memory. Tried to allocate 2.00 GiB",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
        ],
    )
    def test_a_device_without_room_leaves_it_to_the_cpu(
        self, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise RuntimeError(words)

        monkeypatch.setattr("modeldiff.changes.drilldown.spectrum.singular_values._SMALL_SIDE", 0)
        monkeypatch.setattr(
            "modeldiff.changes.drilldown.spectrum.torch_linear_algebra.TorchAlgebra.add_gram", full
        )
        base, target = stored(noise(60, 40)), stored(noise(60, 40, seed=1))
        got = measure_singular_values(*one_pair(tmp_path, base, target), device="torch:cpu")
        wanted = np.linalg.svd(target - base, compute_uv=False)
        assert np.abs(got.values - wanted).max() <= got.error + 1e-12

    @pytest.mark.parametrize("rank", [1, 4, 64])
    @pytest.mark.parametrize("dtype", ["BF16", "F32"])
    @pytest.mark.parametrize("planted", ["dense", "faint", "rows", "uneven"])
    def test_a_planted_rank_is_found_through_the_rounding(
        self, rank: int, dtype: str, planted: str, tmp_path: Path
    ) -> None:
        """``faint``: most elements move by a step or stay, so that rounding follows the update;
        ``rows``: most rows have none; ``uneven``: rows and columns of all sizes."""
        base = stored(noise(256, 320, scale=0.05))
        left, right = noise(256, rank, seed=1, scale=0.1), noise(rank, 320, seed=2, scale=0.1)
        random = np.random.default_rng(3)
        if planted == "faint":
            left *= 0.02
        elif planted == "rows":
            left[random.random(256) < 0.6] = 0
        elif planted == "uneven":
            left *= 10.0 ** -random.uniform(0, 3, (256, 1))
            right *= 10.0 ** -random.uniform(0, 1, (1, 320))
        files = one_pair(tmp_path, base, base + left @ right, types=(dtype, dtype))
        got = measure_singular_values(*files, device="cpu")
        assert got.fitting_rank == rank
        assert got.signal >= rank

    def test_rounding_of_a_faint_rank_one_edit_is_no_second_rank(self, tmp_path: Path) -> None:
        """What independent rounding does not explain is tried: the update of rank 1 has it too."""
        random = np.random.default_rng(0)
        base = stored(0.05 * random.standard_normal((256, 320)))
        update = 2e-4 * random.standard_normal((256, 1)) @ random.standard_normal((1, 320))
        got = measure_singular_values(*one_pair(tmp_path, base, base + update), device="cpu")
        assert got.signal > 1 and got.trials[0][0] == 1
        assert got.fitting_rank == 1

    def test_nothing_noise_sparse_and_dense_changes_fit_no_rank(self, tmp_path: Path) -> None:
        base = stored(noise(128, 128))
        sparse = np.random.default_rng(5).random(base.shape) < 0.01
        for target, rounding in (
            (base, True),
            (base * (1 + noise(128, 128, seed=1, scale=1e-3)), True),
            (np.where(sparse, -base, base), False),
            (base + noise(128, 128, seed=2, scale=0.1), False),
        ):
            tensors, one, other = one_pair(tmp_path, base, target)
            got = measure_singular_values(tensors, one, other, device="cpu")
            assert got.fitting_rank is None
            assert got.only_rounding == rounding

    def test_the_demo_shows_its_rank(self) -> None:
        one, other = open_checkpoint("demo:base"), open_checkpoint("demo:lora")
        ranks: dict[str, set[int | None]] = {}
        for each in pair(understand(one), understand(other)):
            if each.place.layer is not None and each.place.component.startswith("self_attn"):
                got = measure_singular_values(each, one, other, device="cpu")
                ranks.setdefault(each.place.component, set()).add(got.fitting_rank)
        assert ranks["self_attn.q_proj"] == ranks["self_attn.v_proj"] == {4}
        assert ranks["self_attn.k_proj"] == ranks["self_attn.o_proj"] == {None}


def test_progress_counts_the_bytes_and_may_stop_it(tmp_path: Path) -> None:
    tensors, one, other = one_pair(tmp_path, noise(64, 64), noise(64, 64, seed=1))
    reports: list[Progress] = []
    measure_rows(tensors, one, other, progress=reports.append)
    assert reports[-1].bytes_done == reports[-1].bytes_total == tensors.nbytes

    def stop(_: Progress) -> None:
        raise Cancelled("enough")

    for measured in (measure_rows, measure_image, measure_singular_values):
        with pytest.raises(Cancelled):
            measured(tensors, one, other, progress=stop)


def test_a_pair_without_a_drill_down_is_refused(tmp_path: Path) -> None:
    tensors, one, other = one_pair(tmp_path, noise(0, 4), noise(0, 4))
    assert len(measure_rows(tensors, one, other)) == 0
    for measured in (measure_image, measure_singular_values):
        with pytest.raises(InvalidOption):
            measured(tensors, one, other)
    alone = Pair(tensors.place, "only_in_base", tensors.base, None)
    with pytest.raises(InvalidOption):
        measure_rows(alone, one, other)


def test_limits_are_for_two_cores() -> None:
    assert NumpyAlgebra.side >= 4096
    assert NumpyAlgebra.flops >= 4096 * 4096 * 14336
