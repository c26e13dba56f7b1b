"""Checkpoints and settings that ask for more than they are: files of some bytes to some megabytes, by kind."""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from published_writers import block, literal, masked, proto, state_opcodes, tensor_opcodes, varint, write_zip

FOUR = np.arange(4, dtype=np.float32).tobytes()
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
NESTED = b"]q\0" + b"".join(b"](h%ch%ceq%c" % (d, d, d + 1) for d in range(30))  # lists that share: 2^30 items
Write = Callable[[Path], object]


# --- torch.save ---


def pickled(program: bytes, **storages: bytes) -> Write:
    """A zip around a pickle."""
    members = {name.lstrip("_"): data for name, data in storages.items()}
    return lambda place: write_zip(place / "part.ckpt", program, members)


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    """The opcodes that push a storage."""
    return (
        b"("
        + literal("storage")
        + f"ctorch\n{kind}\n".encode()
        + literal(key)
        + literal("cpu")
        + literal(count)
        + b"tQ"
    )


def tensor(offset: bytes, size: bytes, stride: bytes) -> bytes:
    """A state dict of one tensor, from the opcodes of its sizes."""
    return state_opcodes({"a": REBUILD + b"(" + storage("0", 4) + offset + size + stride + b"\x89}tR"})


def members(*entries: tuple[str, bytes]) -> Write:
    """A zip of any members, the last of which may be there twice."""

    def write(place: Path) -> None:
        import warnings

        with warnings.catch_warnings(), zipfile.ZipFile(place / "part.ckpt", "w") as archive:
            warnings.simplefilter("ignore")
            for name, data in entries:
                archive.writestr(name, data)

    return write


def overlapping(place: Path) -> None:
    """Forty storages of a megabyte in a file of one: all are the same bytes of the file."""
    program = state_opcodes(
        {f"t{i}": tensor_opcodes(("FloatStorage", str(i), 1 << 18), 0, (1 << 18,), (1,)) for i in range(40)}
    )
    with zipfile.ZipFile(place / "part.ckpt", "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/00", bytes(1 << 20))
        first = archive.getinfo("archive/data/00")
        for i in range(40):
            info = zipfile.ZipInfo(f"archive/data/{i}")
            info.file_size = info.compress_size = 1 << 20
            info.CRC, info.header_offset = first.CRC, first.header_offset
            archive.filelist.append(info)
        archive._didModify = True


TORCH: dict[str, Write] = {
    "sizes of NumPy": pickled(tensor(literal(0), storage("1", 1, "LongStorage"), storage("2", 1, "LongStorage")),
                              _0=FOUR, _1=struct.pack("<q", 3), _2=struct.pack("<q", 2**63 - 64)),
    "an offset of NumPy": pickled(tensor(storage("1", 1, "LongStorage"), literal((1,)), literal((1,))),
                                  _0=FOUR, _1=struct.pack("<q", 2**62)),
    "a stride beyond all": pickled(tensor(literal(0), literal((3,)), literal((2**63 - 64,))), _0=FOUR),
    "a size beyond all, repeated": pickled(tensor(literal(0), literal((2**40,)), literal((0,))), _0=FOUR),
    "sizes whose product turns around": pickled(tensor(literal(0), literal((2**32, 2**32)), literal((0, 0))), _0=FOUR),
    "nothing, of a size beyond all": pickled(tensor(literal(0), literal((0, 2**62)), literal((1, 1))), _0=FOUR),
    "a hundred axes": pickled(tensor(literal(0), literal((1,) * 100), literal((1,) * 100)), _0=FOUR),
    "a size that is true": pickled(tensor(literal(0), literal((True,)), literal((1,))), _0=FOUR),
    "a size that is a fraction": pickled(tensor(literal(0), literal((1.5,)), literal((1,))), _0=FOUR),
    "a size of a million bits": pickled(tensor(literal(0), literal((1 << 1_000_000,)), literal((1,))), _0=FOUR),
    "a memo of 2^28": pickled(b"\x80\2}r" + struct.pack("<I", 2**28) + b"."),
    "a memo of 2^28 in digits": pickled(b"}p268435456\n."),
    "tuples nested in a key": pickled(b"\x80\2})" + b"\x85" * 1_000_000 + b"Ns."),
    "lists nested": pickled(b"\x80\2" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    "lists that share, as a storage": pickled(b"\x80\2" + NESTED + b"0(h\x1eNNNNtQ."),
    "lists that share, as a size": pickled(b"\x80\2" + NESTED + b"0" + REBUILD + b"(N" + literal(0) + b"h\x1eh\x1etR."),
    "a name of 3 MB": pickled(b"\x80\2}X" + struct.pack("<I", 3_000_000) + b"x" * 3_000_000 + b"Ns."),
    "bytes announced and not there": pickled(b"\x80\5\x96" + struct.pack("<Q", 2**40) + b"."),
    "a text announced and not there": pickled(b"\x80\4\x8d" + struct.pack("<Q", 2**62) + b"."),
    "a million opcodes": pickled(b"\x80\2" + b"N0" * 500_000 + b"}."),
    "an extension": pickled(b"\x80\2\x82\1."),
    "an object of a class": pickled(b"(S'x'\nios\nsystem\n."),
    "a member twice": members(("a/data.pkl", b"\x80\2}."), ("a/data/0", FOUR), ("a/data/0", FOUR)),
    "members that overlap": overlapping,
    "a directory of 100 000": members(("a/data.pkl", b"\x80\2}."), *((f"a/data/{i}", b"") for i in range(100_000))),
    "a pipe": lambda place: os.mkfifo(place / "part.ckpt"),
}  # fmt: skip


# --- TensorFlow ---


def table(*blocks: bytes, times: int = 1) -> bytes:
    """An index of blocks, each listed so many times."""
    out, handles = b"", []
    for content in blocks:
        handles += [varint(len(out)) + varint(len(content))] * times
        out += content + b"\0" + masked(content + b"\0")
    places = []
    for content in (block([]), block([(b"%08d" % i, handle) for i, handle in enumerate(handles)], restart_every=1)):
        places.append(varint(len(out)) + varint(len(content)))
        out += content + b"\0" + masked(content + b"\0")
    return out + b"".join(places).ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")


def entry(shape: tuple[int, ...], size: int, data: bytes, offset: int = 0) -> bytes:
    """A tensor's entry."""
    sizes = proto(*((2, proto((1, n))) for n in shape))
    return proto((1, 1), (2, sizes), (4, offset), (5, size)) + varint(6 << 3 | 5) + masked(data)


def indexed(index: bytes, data: bytes = FOUR) -> Write:
    def write(place: Path) -> None:
        (place / "model.index").write_bytes(index)
        (place / "model.data-00000-of-00001").write_bytes(data)

    return write


def key_bomb() -> bytes:
    """60 000 keys, each a byte longer than the one before."""
    one = entry((2,), 8, b"x")
    pieces = [varint(0) + varint(0) + varint(4) + proto((1, 1), (2, b""))]
    pieces += [varint(max(0, n - 1)) + varint(1) + varint(len(one)) + b"a" + one for n in range(60_000)]
    return b"".join(pieces) + struct.pack("<II", 0, 1)


LONG_INDEX = struct.pack("<I", 0) * 200_000 + struct.pack("<I", 200_000)  # of a block, and nothing else
HEAD = (b"", proto((1, 1), (3, proto((1, 1)))))
SAME = entry((4,), 16, FOUR)
TENSORFLOW: dict[str, Write] = {
    "keys that grow": indexed(table(key_bomb())),
    "a hundred axes": indexed(table(block([HEAD, (b"w", entry((1,) * 100 + (2,), 8, FOUR[:8]))]))),
    "nothing, of a size beyond all": indexed(table(block([HEAD, (b"w", entry((0, 2**62), 0, b""))]))),
    "a size beyond all": indexed(table(block([HEAD, (b"w", entry((2**40,), 2**42, b""))]))),
    "a block listed 10 000 times": indexed(table(block([HEAD, (b"w", entry((4,), 16, FOUR))]), times=10_000)),
    "a large block without entries, listed often": indexed(table(LONG_INDEX, times=5000)),
    "tensors that overlap": indexed(table(block([HEAD, *((b"t%05d" % i, SAME) for i in range(9000))]))),
    "2^60 data files": indexed(table(block([(b"", proto((1, 2**60)))]))),
    "a pipe": lambda place: os.mkfifo(place / "model.index"),
    "data that is a pipe": lambda place: (indexed(table(block([HEAD, (b"w", entry((4,), 16, FOUR))])))(place),
                                          (place / "model.data-00000-of-00001").unlink(),
                                          os.mkfifo(place / "model.data-00000-of-00001")),
}  # fmt: skip


# --- safetensors ---


def stored(header: bytes, data: bytes = FOUR, length: int | None = None) -> Write:
    raw = struct.pack("<Q", len(header) if length is None else length) + header + data
    return lambda place: (place / "model.safetensors").write_bytes(raw)


def described(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} | changes


EMPTY = described(shape=[0], data_offsets=[0, 0])
SAFETENSORS: dict[str, Write] = {
    "a header of 2^62 bytes": stored(b"{}", length=2**62),
    "a header nested": stored(b'{"a":' + b"[" * 200_000),
    "a tensor twice": stored(f'{{"a": {json.dumps(described())}, "a": {json.dumps(described())}}}'.encode()),
    "tensors that overlap": stored(json.dumps({"a": described(), "b": described()}).encode()),
    "a gap": stored(json.dumps({"a": described(data_offsets=[4, 20])}).encode(), FOUR + bytes(4)),
    "a shape beyond all": stored(json.dumps({"a": described(shape=[2**40, 2**40])}).encode()),
    "a shape of a fraction": stored(json.dumps({"a": described(shape=[4.0])}).encode()),
    "a shape below zero": stored(json.dumps({"a": described(shape=[-2, -2])}).encode()),
    "places out of order": stored(json.dumps({"a": described(data_offsets=[16, 0])}).encode()),
    "a type that NumPy lacks": stored(json.dumps({"a": described(dtype="BF16", shape=[8])}).encode()),
    "a type that is none": stored(json.dumps({"a": described(dtype="F" * 100_000)}).encode()),
    "a name of 1 MB": stored(json.dumps({"a" * 1_000_000: described()}).encode()),
    "60 000 tensors": stored(json.dumps({f"t{i}": EMPTY for i in range(60_000)}).encode(), b""),
    "a pipe": lambda place: os.mkfifo(place / "model.safetensors"),
}  # fmt: skip


# --- settings and lists ---


def text(name: str, content: str | bytes) -> Write:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda place: (place / name).write_bytes(data)


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{j}: &a{j} [{','.join([f'*a{j - 1}'] * 10)}]\n" for j in range(1, 9)
)
MERGES = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{j}: &a{j} {{<<: [{','.join([f'*a{j - 1}'] * 10)}]}}\n" for j in range(1, 9)
)
YAML = {
    "aliases of aliases": f"{LAUGHS}sample_rate: *a8\nnorm: *a8\nstems: *a8\n",
    "merges of merges": f"{MERGES}sample_rate: 1\nstems: *a8\n",
    "an alias of itself": "sample_rate: &a [*a]\nstems: *a\n",
    "nested": "a: " + "[" * 100_000,
    "nested mappings": "".join(f"{' ' * i}a:\n" for i in range(400)),
    "a date that is none": "sample_rate: 2001-99-99\nstems: 2001-99-99",
    "a number that is none": "sample_rate: !!int ''\n",
    "a time that is none": "sample_rate: !!timestamp x\n",
    "true that is none": "sample_rate: !!bool x\n",
    "a number of 5000 digits": f"sample_rate: {'9' * 5000}\nstems: 1\n",
    "a megabyte": "a: [" + "x," * 500_000 + "]\n",
    "no text": b"\xff\xfe\xfa",
    "zero bytes": b"a: \0",
}
JSON = {
    "nested": '{"format": 1, "x": ' + "[" * 200_000,
    "nested objects": '{"a":' * 200_000,
    "nested a little": '{"a": ' + "[" * 500 + "]" * 500 + "}",
    "a key twice": '{"format": 1, "format": 1}',
    "a number of 5000 digits": '{"format": ' + "9" * 5000 + ', "sample_rate": ' + "9" * 5000 + "}",
    "a long number": '{"format": 1e400, "sample_rate": 1e400, "instrument_list": 1e400}',
    "10 MB": '{"a": "' + "x" * 10_000_000 + '"}',
    "a text of 1 MB": json.dumps(dict.fromkeys(("format", "instrument_list", "<pad>"), "x" * 1_000_000)),
    "no text": b"\xff\xfe\xfa",
    "no object": "[1, 2]",
}  # fmt: skip
LISTS = {
    "zero bytes": b"path,speaker,split\na\0.wav,ann,train\n",
    "a line without end": "path,speaker,split\n" + "a" * 3_000_000,
    "a field without end": 'path,speaker,split\n"' + "a\n" * 200_000,
    "no text": b"path,speaker,split\n\xff\xfe,a,train\n",
    "other columns": "a,b\n1,2\n",
}


def files(name: str, contents: dict[str, str | bytes]) -> dict[str, Write]:
    """A file of each kind of content, and a pipe of that name."""
    return {kind: text(name, content) for kind, content in contents.items()} | {
        "a pipe": lambda place: os.mkfifo(place / name)
    }


CASES: dict[str, dict[str, Write]] = {
    "torch": TORCH,
    "tensorflow": TENSORFLOW,
    "safetensors": SAFETENSORS,
    "settings": files("hyperparams.yaml", YAML),
    "metadata": files("metadata.yaml", YAML),
    "spec": files("spec.json", JSON),
    "vocabulary": files("vocab.json", JSON),
    "spleeter": files("config.json", JSON),
    "manifest": {kind: text("manifest.csv", content) for kind, content in LISTS.items()},
    "dictionary": files("cmudict.dict", {"no text": b"\xff\xfe"}),
}
RECORDS = files(".unbraid.json", JSON)
