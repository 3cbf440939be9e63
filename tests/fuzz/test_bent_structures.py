"""What files say, bent piece by piece: numbers, texts and calls of pickles, and GGUF's entries.
Bytes bent at random seldom get so far, as the next length is wrong then."""

from __future__ import annotations

import io
import pickle
import pickletools
import shutil
import struct
import zipfile
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fuzzed import DATA, only_our_errors, require_readable, saved

FUZZ = settings.get_profile("fuzz")
NUMBERS = (0, 1, -1, 3, 255, 2**15, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, 2**64, -(2**63), 10**300)
TEXTS = ("", "..", "../../x", "/etc/passwd", "a" * 5000, "\x1b[2J", "cuda:0", "os", "model")
CODES = (b"N", b")", b"}", b"]", b"R", b"h\x00", b"h\xff", b"0", b"t", b"u", b"b", b"cos\nsystem\n")


def pieces_of(content: bytes) -> tuple[list[str], list[bytes]]:
    """The names and the bytes of a pickle's operations."""
    operations = list(pickletools.genops(content))
    places = [place or 0 for _, _, place in operations] + [len(content)]
    places[-1] = places[-2] + 1  # STOP is one byte
    pieces = [content[begin:stop] for begin, stop in pairwise(places)]
    return [operation.name for operation, _, _ in operations], pieces


@st.composite
def bent_pickle(draw: st.DrawFn, content: bytes) -> bytes:
    """The pickle with up to three of its numbers, texts or operations replaced, doubled or gone."""
    kinds, pieces = pieces_of(content)
    rest = content[sum(map(len, pieces)) :]
    for _ in range(draw(st.integers(1, 3))):
        what = draw(st.sampled_from(("INT", "LONG", "UNICODE", "")))
        fitting = [at for at, kind in enumerate(kinds) if what in kind]
        if not fitting:
            continue
        at = draw(st.sampled_from(fitting))
        if what in ("INT", "LONG"):
            pieces[at] = pickle.dumps(draw(st.sampled_from(NUMBERS)), 2)[2:-1]
        elif what == "UNICODE":
            text = draw(st.sampled_from(TEXTS)).encode()
            pieces[at] = b"X" + struct.pack("<I", len(text)) + text
        else:
            code = draw(st.sampled_from((b"", pieces[at] * 2, *CODES)))
            pieces[at] = code
    return b"".join(pieces) + rest


@FUZZ
@given(st.data())
def test_pickles_in_archives(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "pytorch_model.bin"
    with (
        zipfile.ZipFile(io.BytesIO(saved(zipped=True))) as sound,
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bent,
    ):
        for member in sound.infolist():
            content = sound.read(member)
            if member.filename.endswith("data.pkl"):
                content = data.draw(bent_pickle(content))
            bent.writestr(member.filename, content)
    with only_our_errors():
        require_readable(path)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("distributed/checkpoint", ".metadata"),
        ("megatron/run/iter_0000020", ".metadata"),
    ],
)
@FUZZ
@given(st.data())
def test_pickles_of_many_ranks(folder: str, file: str, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "run"
    if not path.exists():
        shutil.copytree(DATA / folder, path)
    (path / file).write_bytes(data.draw(bent_pickle((DATA / folder / file).read_bytes())))
    with only_our_errors():
        require_readable(path)


ENTRIES = st.one_of(
    st.tuples(st.just(gguf.GGUFValueType.UINT32), st.sampled_from((0, 1, 3, 33, 2**31, 2**32 - 1))),
    st.tuples(st.just(gguf.GGUFValueType.INT32), st.sampled_from((0, -1, -(2**31)))),
    st.tuples(st.just(gguf.GGUFValueType.UINT64), st.sampled_from((0, 2**40, 2**64 - 1))),
    st.tuples(st.just(gguf.GGUFValueType.FLOAT32), st.sampled_from((0.0, -1.0, 1e38, 1e-40))),
    st.tuples(st.just(gguf.GGUFValueType.STRING), st.sampled_from(TEXTS)),
    st.tuples(st.just(gguf.GGUFValueType.BOOL), st.booleans()),
    st.tuples(
        st.just(gguf.GGUFValueType.ARRAY), st.sampled_from(([0], [2**31 - 1] * 8, [-1] * 64, ["x"]))
    ),
)
KEYS = (
    *("block_count", "attention.head_count", "attention.head_count_kv", "embedding_length"),
    *("feed_forward_length", "expert_count", "rope.dimension_count", "vocab_size"),
    *("attention.key_length", "attention.value_length", "context_length", "ssm.state_size"),
)
NAMES = (
    *("token_embd.weight", "blk.0.attn_q.weight", "blk.0.attn_k.weight", "output.weight"),
    *("blk.0.ffn_gate_exps.weight", "blk.99999999999.attn_q.weight", "blk.-1.ffn_up.weight", "x"),
)


@FUZZ
@given(st.data())
def test_entries_of_gguf_files(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "model.gguf"
    kind = data.draw(st.sampled_from(("llama", "qwen2moe", "gemma3", "mamba", "deepseek2", "bert")))
    writer = gguf.GGUFWriter(path, kind)
    for key, (value_type, value) in data.draw(
        st.dictionaries(st.sampled_from(KEYS), ENTRIES, max_size=5)
    ).items():
        writer.add_key_value(f"{kind}.{key}", value, value_type)
    for name in data.draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4)):
        shape = data.draw(st.lists(st.sampled_from((1, 3, 32)), min_size=1, max_size=3))
        writer.add_tensor(name, np.ones(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with only_our_errors():
        require_readable(path)


def test_what_is_bent_piece_by_piece_is_sound() -> None:
    """Else every target would be content with the first error."""
    for path in ("distributed/checkpoint", "megatron/run/iter_0000020"):
        content = (DATA / path / ".metadata").read_bytes()
        kinds, pieces = pieces_of(content)
        assert b"".join(pieces) == content and len(kinds) > 100
        require_readable(DATA / path)
