"""The header parser against safetensors' own writer and reader, and against every kind of lie."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldiff.checkpoints import open_checkpoint
from modeldiff.checkpoints.formats.safetensors import header_bytes
from modeldiff.errors import DamagedCheckpoint, ModeldiffError, NoWeights, UnsupportedFormat
from tests.support.safetensors_files import encode, entry, simple
from tests.support.written_headers import WRITABLE, metadata, parse, tensors, write


@given(tensors, metadata)
def test_reads_what_safetensors_writes(
    tensors: dict[str, tuple[str, list[int]]], metadata: dict[str, str] | None
) -> None:
    content = write(tensors, metadata)
    header = parse(content)
    assert {info.name: (info.dtype, info.shape) for info in header.tensors} == {
        name: (WRITABLE[dtype][0], tuple(shape)) for name, (dtype, shape) in tensors.items()
    }
    assert header.metadata == (metadata or {})
    assert [info.offset for info in header.tensors] == sorted(t.offset for t in header.tensors)
    end = header.nbytes
    for info in header.tensors:
        assert info.offset == end
        end += info.nbytes
    assert end == len(content)


values = st.sampled_from(
    [0, 1, 2, 4, 8, -1, 2**63, 2**64, 1.0, 4.0, True, False, None, "", "BF16", "U8", "F4", "f32"]
)
shapes = st.lists(values | st.integers(0, 3), max_size=4) | values
entries = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["BF16", "U8", "F4", "F32", "BOOL"]) | values,
        "shape": shapes,
        "data_offsets": st.tuples(st.integers(0, 8), st.integers(0, 8)) | shapes,
        "more": values,
    },
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from("abc"), entries | values, max_size=3), st.integers(0, 16))
def test_well_formed_nonsense_too(header: dict[str, Any], data_bytes: int) -> None:
    content = encode(header, bytes(data_bytes))
    try:
        parsed = parse(content)
    except ModeldiffError as error:
        assert error.hint
    else:
        accepted = dict(safetensors.deserialize(content))  # type: ignore[no-untyped-call]
        assert accepted.keys() == {info.name for info in parsed.tensors}


def one(**changes: Any) -> dict[str, Any]:
    """A header of one sound tensor of four bytes, bent."""
    return {"w": entry("BF16", [2], 0, 4) | changes}


LIES: dict[str, tuple[Any, str]] = {
    "not an object": (b"[1, 2]", "does not begin with a header"),
    "not JSON": (b"{nonsense}", "not valid JSON"),
    "not UTF-8": (b'{"\xff": 1}', "not UTF-8"),
    "UTF-16": ("{}".encode("utf-16-le"), "not valid JSON"),
    "NaN": (b'{"w": NaN}', "NaN"),
    "nested deeply": (b'{"w":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deeply"),
    "giant number": (
        b'{"w": {"dtype": "U8", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}',
        "not valid JSON",
    ),
    "entry is a text": ({"w": "BF16"}, "lacks dtype"),
    "entry is null": ({"w": None}, "lacks dtype"),
    "no offsets": ({"w": {"dtype": "BF16", "shape": [2]}}, "lacks dtype"),
    "three offsets": (one(data_offsets=[0, 2, 4]), "lacks dtype"),
    "offsets are texts": (one(data_offsets="04"), "not two ascending"),
    "offsets are fractions": (one(data_offsets=[0.0, 4.0]), "not two ascending"),
    "offsets are truths": (one(data_offsets=[False, 4]), "not two ascending"),
    "offsets descend": (one(data_offsets=[4, 0]), "not two ascending"),
    "negative offset": (one(data_offsets=[-4, 0]), "not two ascending"),
    "dtype is a number": (one(dtype=16), "not a text"),
    "shape is a number": (one(shape=2), "not a list of sizes"),
    "shape holds a fraction": (one(shape=[2.0]), "not a list of sizes"),
    "shape holds a truth": (one(shape=[True, 2]), "not a list of sizes"),
    "shape is negative": (one(shape=[-1, -2]), "not a list of sizes"),
    "shape is endless": (one(shape=[2**64, 0]), "not a list of sizes"),
    "shape overflows to what fits": (one(shape=[2**33, 2**31, 2]), "does not fill"),
    "many dimensions": (one(shape=[1] * 65), "65 dimensions"),
    "too few bytes": (one(data_offsets=[0, 2]), "does not fill"),
    "half a byte": (one(dtype="F4", shape=[7]), "does not fill"),
    "empty name": ({"": entry("BF16", [2], 0, 4)}, "0 characters"),
    "endless name": ({"w" * 1_000_000: entry("BF16", [2], 0, 4)}, "1,000,000 characters"),
    "lone surrogate": (
        b'{"\\ud800":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}',
        "not valid Unicode",
    ),
    "hole": (
        {"a": entry("U8", [1], 0, 1), "b": entry("U8", [2], 2, 4)},
        "leaves a hole",
    ),
    "overlap": (
        {"a": entry("U8", [3], 0, 3), "b": entry("U8", [2], 2, 4)},
        "overlaps",
    ),
    "begins late": ({"a": entry("U8", [3], 1, 4)}, "leaves a hole"),
    "promises more than there is": (one(shape=[4], data_offsets=[0, 8]), "cut short"),
    "leaves bytes over": (one(shape=[1], data_offsets=[0, 2]), "belong to no tensor"),
    "metadata is a list": ({"__metadata__": []} | one(), "not an object of texts"),
    "metadata holds a number": ({"__metadata__": {"a": 1}} | one(), "not an object of texts"),
}


@pytest.mark.parametrize(("header", "message"), LIES.values(), ids=LIES)
def test_a_header_that_lies(header: Any, message: str) -> None:
    with pytest.raises(DamagedCheckpoint, match=message) as caught:
        parse(encode(header, bytes(4)))
    assert "a.safetensors" in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 400


ENTRY = '{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    "header",
    [
        f'{{"w":{ENTRY},"w":{ENTRY}}}',
        f'{{"w":{ENTRY},"\\u0077":{ENTRY}}}',
        '{"w":{"dtype":"F32","dtype":"BF16","shape":[2],"data_offsets":[0,4]}}',
        '{"w":{"dtype":"BF16","shape":[9],"shape":[2],"data_offsets":[0,4]}}',
        f'{{"__metadata__":{{"a":"b"}},"__metadata__":{{"c":"d"}},"w":{ENTRY}}}',
        # One duplicate, and one key spelled so that counting the plain spelling comes out even.
        f'{{"w":{ENTRY},"w":{{"dtype":"BF16","shape":[2],"data\\u005foffsets":[0,4]}}}}',
    ],
)
def test_keys_that_stand_twice(header: str) -> None:
    with pytest.raises(DamagedCheckpoint, match="twice"):
        parse(encode(header.encode(), bytes(4)))


def test_names_that_look_like_keys_are_no_duplicates() -> None:
    names = ["data_offsets", 'a"data_offsets"', "dtype", "shape\\", "__metadata__x", "naïve"]
    header = parse(simple(*names))
    assert [info.name for info in header.tensors] == names


def test_unknown_element_type_is_not_damage() -> None:
    with pytest.raises(UnsupportedFormat, match="'F3_NEW'") as caught:
        parse(encode(one(dtype="F3_NEW"), bytes(4)))
    assert "BF16" in caught.value.hint


def test_tensors_of_less_than_a_byte_an_element() -> None:
    header = {"a": entry("F4", [3, 4], 0, 6), "b": entry("F6_E2M3", [4], 6, 9)}
    parsed = parse(encode(header, bytes(9)))
    assert [(info.shape, info.elements, info.nbytes) for info in parsed.tensors] == [
        ((3, 4), 12, 6),
        ((4,), 4, 3),
    ]


def test_empty_tensors_and_scalars_stand_where_their_offsets_say() -> None:
    header = {
        "after": entry("U8", [1], 0, 1),
        "empty": entry("BF16", [0, 7], 0, 0),
        "scalar": entry("F32", [], 1, 5),
    }
    parsed = parse(encode(header, bytes(5)))
    assert [info.name for info in parsed.tensors] == ["empty", "after", "scalar"]
    assert [info.elements for info in parsed.tensors] == [0, 1, 1]


def test_padding_after_the_header_is_allowed() -> None:
    raw = json.dumps(one()).encode() + b"   \n"
    assert parse(encode(raw, bytes(4))).tensors[0].offset == 8 + len(raw)


@pytest.mark.parametrize(
    ("start", "kind", "message"),
    [
        (b"", DamagedCheckpoint, "is empty"),
        (b"\x05", DamagedCheckpoint, "not a safetensors file"),
        (b"PK\x03\x04" + bytes(60), UnsupportedFormat, "torch.save"),
        (b"\x80\x02}q\x00." + bytes(60), UnsupportedFormat, "pickle"),
        (b"GGUF\x03\0\0\0" + bytes(60), UnsupportedFormat, "GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\noid", NoWeights, "Git LFS"),
        (b"<!DOCTYPE html><html>", DamagedCheckpoint, "web page"),
        (b'{"weight_map": {}}', UnsupportedFormat, "JSON"),
        (struct.pack("<Q", 200) + b'{"w":', DamagedCheckpoint, "cut short inside its header"),
        (struct.pack("<Q", 2**63) + b'{"w":', DamagedCheckpoint, "not a safetensors file"),
        (bytes(64), DamagedCheckpoint, "not a safetensors file"),
    ],
)
def test_what_does_not_begin_as_safetensors(
    start: bytes, kind: type[ModeldiffError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        header_bytes(start[:64], len(start), "x.safetensors")
    assert caught.value.hint


def test_a_sound_header_may_begin_like_a_pickle() -> None:
    # 0x0280 bytes of header: the file's first two bytes are those of a protocol-2 pickle.
    raw = json.dumps(one()).encode()
    content = encode(raw + b" " * (0x280 - len(raw)), bytes(4))
    assert content[:2] == b"\x80\x02"
    assert len(parse(content).tensors) == 1


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580, 0x10480])
def test_a_file_whose_length_begins_like_a_pickle_is_opened_by_its_name(
    length: int, tmp_path: Path
) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + bytes(8))
    with safetensors.safe_open(path, "np") as theirs:
        assert list(theirs.keys()) == ["w"]
    assert [tensor.name for tensor in open_checkpoint(str(path)).tensors] == ["w"]


def test_a_header_that_would_take_gigabytes_is_refused_unparsed() -> None:
    for flood in (b"[],", b"{},", b"999,"):
        raw = b'{"w":[' + flood * 3_000_000 + b"0]}"
        with pytest.raises(DamagedCheckpoint, match="far more"):
            parse(encode(raw))
