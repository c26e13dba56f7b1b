"""TensorFlow bundles are read exactly, every byte that is read is checked, and what is not supported is named."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_writers import TF_TYPES, Bundle, masked, proto, varint, write_bundle

from unbraid.errors import ChecksumError, ModelError
from unbraid.hub.importers.spleeter import published_shapes
from unbraid.hub.importers.spleeter_config import shipped_config
from unbraid.hub.importers.tf_bundle import Index, masked_crc, read_index, read_tensors

DTYPES = st.sampled_from(sorted(TF_TYPES))
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
NAMES = st.text(st.sampled_from("abc_/019é"), min_size=1, max_size=30)


def some_tensors() -> dict[str, np.ndarray]:
    """A few tensors whose names share prefixes."""
    rng = np.random.default_rng(1)
    names = [f"layer_{i}/{part}" for i in range(5) for part in ("kernel", "bias")]
    return {name: rng.normal(size=(3, 2)).astype(np.float32) for name in names}


def read_all(prefix: Path) -> dict[str, np.ndarray]:
    index = read_index(prefix.with_name(prefix.name + ".index"))
    return read_tensors(index, index.entries)


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_index(path)
    return str(caught.value).replace(str(path), "PATH")


# --- reading ---


def test_the_checksum_is_masked_crc32c() -> None:
    """RFC 3720, appendix B.4: the CRC32C of 32 zero bytes; masked as LevelDB does."""
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(DTYPES, SHAPES), max_size=12), st.integers(1, 5), st.integers(1, 3))
def test_what_is_written_is_read(tmp_path_factory, kinds, block_entries: int, shards: int) -> None:
    rng = np.random.default_rng(2)
    tensors = {name: (100 * rng.normal(size=shape)).astype(dtype) for name, (dtype, shape) in kinds.items()}
    prefix = tmp_path_factory.mktemp("bundle") / "model"
    write_bundle(prefix, tensors, Bundle(shards, block_entries))
    found = read_all(prefix)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor, strict=True)


@pytest.mark.parametrize("stems", [2, 4, 5])
def test_official_index_files_hold_what_the_published_networks_have(parity: Path, stems: int) -> None:
    index = read_index(parity / "spleeter" / f"official_{stems}stems" / "model.index")
    expected = published_shapes(shipped_config(stems).geometry) | {"global_step": ()}
    assert {name: entry.shape for name, entry in index.entries.items()} == expected
    assert len(expected) == {2: 149, 4: 297, 5: 371}[stems]
    step = index.entries.pop("global_step")
    assert (step.dtype, step.size) == (np.int64, 8)
    assert {entry.dtype for entry in index.entries.values()} == {np.dtype(np.float32)}
    assert index.shards == 1
    places = sorted((entry.offset, entry.size) for entry in (*index.entries.values(), step))
    ends = [offset + size for offset, size in places]
    assert [0, *ends[:-1]] == [offset for offset, _ in places]  # one after the other, nothing between
    assert ends[-1] == {2: 78_614_080, 4: 157_228_152, 5: 196_535_188}[stems]


# --- damage ---


def test_every_flipped_byte_of_an_index_is_caught(tmp_path: Path) -> None:
    write_bundle(tmp_path / "model", some_tensors(), Bundle(block_entries=4))
    path = tmp_path / "model.index"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        refusal(path)


def test_every_flipped_byte_of_the_data_is_caught(tmp_path: Path) -> None:
    tensors = some_tensors()
    write_bundle(tmp_path / "model", tensors)
    path = tmp_path / "model.data-00000-of-00001"
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        name = sorted(tensors)[place // 24]
        with pytest.raises(ChecksumError) as caught:
            read_all(tmp_path / "model")
        expected = f"{path}: the checksum of tensor {name!r} is wrong, the file is damaged; fetch it again."
        assert str(caught.value) == expected


def test_a_truncated_index_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    write_bundle(tmp_path / "model", some_tensors())
    path = tmp_path / "model.index"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert refusal(path) == "PATH is not a TensorFlow checkpoint index, or is damaged: it does not end as one."


def test_noise_is_refused(tmp_path: Path) -> None:
    source = random.Random(3)
    path = tmp_path / "model.index"
    footer = (0xDB4775248B80FB57).to_bytes(8, "little")
    for size in (0, 47, 48, 500):
        path.write_bytes(source.randbytes(size) + footer)
        assert "PATH" in refusal(path)


def test_a_truncated_or_missing_data_file_is_named(tmp_path: Path) -> None:
    write_bundle(tmp_path / "model", some_tensors(), Bundle(shards=2))
    second = tmp_path / "model.data-00001-of-00002"
    second.write_bytes(second.read_bytes()[:-1])
    with pytest.raises(ModelError) as caught:
        read_all(tmp_path / "model")
    assert str(caught.value) == f"{second} is truncated: it ends before tensor 'layer_4/kernel' does; fetch it again."
    second.unlink()
    with pytest.raises(ModelError) as caught:
        read_all(tmp_path / "model")
    assert str(caught.value) == f"{second} is missing: model.index says that the weights are in it."


# --- what is not read ---


def test_a_hostile_index_with_right_checksums_is_refused(tmp_path: Path) -> None:
    for entry in (
        proto((1, 1), (2, proto((2, proto((1, 4))))), (5, 15)),  # size and shape disagree
        proto((1, 1), (2, proto((2, proto((1, 2**63))))), (5, 4)),
        proto((1, 1), (2, 5)),
        b"\xff" * 12,
        varint(6 << 3 | 3),
        varint(2 << 3 | 2) + varint(99),
    ):
        write_bundle(tmp_path / "model", {}, Bundle(entries={"w": entry}))
        assert refusal(tmp_path / "model.index").startswith(
            "PATH is not a TensorFlow checkpoint index, or is damaged: "
        )


def test_unsupported_tensors_are_named(tmp_path: Path) -> None:
    for entry, what in {
        proto((1, 7)): "is string, which is not read; allowed are plain numbers.",
        proto((1, 14)): "is bfloat16, which is not read; allowed are plain numbers.",
        proto((1, 8)): "is of type 8, which is not read; allowed are plain numbers.",
        proto((1, 1), (7, b"")): "is cut into slices (a partitioned variable), which is not read.",
    }.items():
        write_bundle(tmp_path / "model", {}, Bundle(entries={"layer/w": entry}))
        assert refusal(tmp_path / "model.index") == f"PATH: tensor 'layer/w' {what}"


def test_unsupported_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.index"
    write_bundle(tmp_path / "model", some_tensors(), Bundle(header=proto((1, 1), (2, 1))))
    assert refusal(path) == "PATH was written on a big-endian machine, which is not read; save it on another."
    write_bundle(tmp_path / "model", some_tensors(), Bundle(compression=1))
    assert refusal(path) == "PATH is compressed (type 1), which is not read; save it without compression."
    assert refusal(tmp_path / "absent.index") == "PATH cannot be read: No such file or directory."


def test_data_files_are_named_after_the_prefix() -> None:
    index = Index(Path("m/model.ckpt-10.index"), 12, {})
    assert index.shard_path(3) == Path("m/model.ckpt-10.data-00003-of-00012")


def test_the_writer_of_these_tests_agrees_with_the_reader_on_checksums() -> None:
    assert masked(b"123456789") == masked_crc(b"123456789").to_bytes(4, "little")
