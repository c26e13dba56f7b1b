"""What is fuzzed: for each reader some small files that it reads, and how a changed one is given to it.

Where a checksum stands before a reader, it is made right again, since a change that it catches tests nothing behind it.
"""

import contextlib
import dataclasses
import hashlib
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fuzz_audio import audio_seeds
from fuzz_http import http_seeds, read_http
from published_writers import block, masked, proto, spleeter_config, state_opcodes, tensor_opcodes, varint, write_zip

from unbraid.errors import UnbraidError

FOUR = np.arange(4, dtype=np.float32)
MOST_BLOCKS = 100


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader under test."""

    reads: str  # for people
    seeds: Callable[[Path], list[bytes]]  # may prepare the folder
    read: Callable[[Path, bytes], None]  # may raise errors of ours
    needs: tuple[str, ...] = ()  # packages

    def check(self) -> None:
        """Skip a test where a package is missing."""
        import pytest

        for package in self.needs:
            pytest.importorskip(package)


# --- audio ---


def read_audio(place: Path, data: bytes) -> None:
    from unbraid.audio import Reader

    (place / "track.audio").write_bytes(data)
    with Reader(place / "track.audio") as reader:
        for i, _ in enumerate(reader.blocks()):
            if i == MOST_BLOCKS:
                break


# --- published checkpoints ---


def torch_seeds(place: Path) -> list[bytes]:
    views = {
        "a": tensor_opcodes(("FloatStorage", "0", 4), 0, (2, 2), (2, 1)),
        "b": tensor_opcodes(("FloatStorage", "0", 4), 1, (5, 2), (0, 1)),
    }
    import pickle

    plain = {"weight": [1, 2.5, None, True], "names": ("x", "é"), "more": {"deep": {1: 2}}}
    return [state_opcodes(views), *(pickle.dumps(plain, protocol) for protocol in range(5))]


def read_torch(place: Path, data: bytes) -> None:
    from unbraid.hub.importers.torch_pickle import read_state_dict

    write_zip(place / "part.ckpt", data, {"0": FOUR.tobytes()})
    read_state_dict(place / "part.ckpt")


def zip_seeds(place: Path) -> list[bytes]:
    write_zip(place / "seed.ckpt", torch_seeds(place)[0], {"0": FOUR.tobytes()})
    return [(place / "seed.ckpt").read_bytes()]


def read_zip(place: Path, data: bytes) -> None:
    from unbraid.hub.importers.torch_pickle import read_state_dict

    (place / "part.ckpt").write_bytes(data)
    read_state_dict(place / "part.ckpt")


def tensorflow_seeds(place: Path) -> list[bytes]:
    """A block of entries: a header and two tensors."""
    shape = proto((2, proto((1, 2))))
    halves = (FOUR[:2].tobytes(), FOUR[2:].tobytes())
    entries = [
        proto((1, 1), (2, shape), (4, 8 * i), (5, 8)) + varint(6 << 3 | 5) + masked(raw) for i, raw in enumerate(halves)
    ]
    pairs = [(b"", proto((1, 1), (3, proto((1, 1))))), (b"layer/bias", entries[0]), (b"layer/kernel", entries[1])]
    return [block(pairs), block(pairs, restart_every=1)]


def read_tensorflow(place: Path, data: bytes) -> None:
    from unbraid.hub.importers.tf_bundle import read_index, read_tensors

    def whole(content: bytes) -> bytes:
        return content + b"\0" + masked(content + b"\0")

    first, meta = whole(data), whole(block([]))
    index = whole(block([(b"\xff", varint(0) + varint(len(data)))], restart_every=1))
    handles = varint(len(first)) + varint(len(meta) - 5) + varint(len(first) + len(meta)) + varint(len(index) - 5)
    footer = handles.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")
    (place / "model.index").write_bytes(first + meta + index + footer)
    (place / "model.data-00000-of-00001").write_bytes(FOUR.tobytes())
    found = read_index(place / "model.index")
    read_tensors(found, found.entries)


def safetensors_seeds(place: Path) -> list[bytes]:
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    other = {"dtype": "F16", "shape": [8], "data_offsets": [16, 32]}
    headers = ({"a": entry}, {"__metadata__": {"a": "b"}, "a": entry, "b": other})
    return [json.dumps(header).encode() for header in headers]


def read_safetensors(place: Path, data: bytes) -> None:
    from unbraid.hub.folder import first_not_finite
    from unbraid.models.tensors import read_weights

    size = 32 if b"[16" in data else 16
    (place / "w.safetensors").write_bytes(struct.pack("<Q", len(data)) + data + FOUR.tobytes() * (size // 16))
    for read in (read_weights, first_not_finite):
        with contextlib.suppress(UnbraidError):
            read(place / "w.safetensors")


def yaml_seeds(place: Path) -> list[bytes]:
    goldens = Path(__file__).resolve().parents[1] / "goldens"
    texts = [path.read_bytes() for path in sorted(goldens.glob("*/hyperparams.yaml"))]
    return [
        *texts,
        b"stems: &s\n  S00: &t {<<: {a: 1}, plugin_name: x, rendered: true}\n  S01: *t\nmore: [*s, *s]\n",
    ]


def read_yaml(place: Path, data: bytes) -> None:
    from unbraid.corpora.metadata import read_stems
    from unbraid.hub.importers.hyperyaml import read_settings

    (place / "some.yaml").write_bytes(data)
    with contextlib.suppress(UnbraidError):
        read_stems(place / "some.yaml")
    settings = read_settings(place / "some.yaml")
    for key in list(settings.root)[:30]:
        with contextlib.suppress(UnbraidError):
            settings.positive(str(key))
        with contextlib.suppress(UnbraidError):
            settings.require({str(key): (None, "nothing")})


# --- model folders ---


def model_seeds(place: Path) -> list[Path]:
    """Small models that separate, and one that writes."""
    from engine_fakes import music_spec, speech_spec, text_spec, write_model

    folders = [place / name for name in ("speech", "music", "text")]
    for folder, spec in zip(folders, (speech_spec(), music_spec(), text_spec()), strict=True):
        if not folder.exists():
            write_model(folder, spec)
    return folders


def sentencepiece_seeds(place: Path) -> list[bytes]:
    kinds = {"<unk>": 2, "</s>": 3, "▁": 1, "a": 1}
    pieces = [(1, proto((1, text.encode()), (3, kind))) for text, kind in kinds.items()]
    return [proto(*pieces, (2, proto((3, 4)))), proto((2, proto((3, 1))), *pieces)]


def read_sentencepiece(place: Path, data: bytes) -> None:
    from unbraid.hub.importers.sentencepiece import read_characters

    (place / "spm_char.model").write_bytes(data)
    read_characters(place / "spm_char.model")


def basic_pitch_seeds(place: Path) -> list[bytes]:
    """A file with a weight, an integer, and no graph's nodes."""
    floats = proto((1, 2), (2, 1), (8, b"x;const_fold_opt__655"), (9, bytes(8)))
    counts = proto((1, 1), (2, 7), (8, b"counts"), (9, bytes(8)))
    return [proto((1, 8), (7, proto((2, b"g"), (5, floats), (5, counts)))), proto((7, proto((5, floats))))]


def read_basic_pitch(place: Path, data: bytes) -> None:
    from unbraid.hub.importers.basic_pitch import FILE, read_checkpoint

    (place / FILE).write_bytes(data)
    read_checkpoint(place, "notes")


def spec_seeds(place: Path) -> list[bytes]:
    return [(folder / "spec.json").read_bytes() for folder in model_seeds(place)]


def read_spec(place: Path, data: bytes) -> None:
    names = {b"tiny-music": "music", b"tiny-text": "text"}
    folder = place / next((folder for name, folder in names.items() if name in data), "speech")
    whole = (folder / "spec.json").read_bytes()
    try:
        (folder / "spec.json").write_bytes(data)
        use_model(folder)
    finally:
        (folder / "spec.json").write_bytes(whole)


def use_model(folder: Path) -> None:
    """Open a model, and use it if that is possible."""
    from unbraid.tasks.decoding.generator import Generator
    from unbraid.tasks.separation.separator import Separator

    if folder.name == "text":
        with Generator(folder, device="cpu", threads=1) as generator:
            generator.generate([[5, 6, 2]], most_symbols=3)
        return
    with Separator(folder, device="cpu", threads=1) as separator:
        stems = separator(np.random.default_rng(0).normal(0, 0.1, (1, 2000)).astype(np.float32), 8000)
    if not all(np.isfinite(stem).all() for stem in stems.values()):
        raise AssertionError("a stem holds NaN")


def onnx_seeds(place: Path) -> list[bytes]:
    return [(folder / "model.onnx").read_bytes() for folder in model_seeds(place)[:2]]


def read_onnx(place: Path, data: bytes) -> None:
    folder = place / ("music" if b"magnitudes" in data else "speech")
    whole = {name: (folder / name).read_bytes() for name in ("spec.json", "model.onnx")}
    spec = json.loads(whole["spec.json"])
    spec["files"]["model.onnx"] = hashlib.sha256(data).hexdigest()
    try:
        (folder / "model.onnx").write_bytes(data)
        (folder / "spec.json").write_text(json.dumps(spec))
        use_model(folder)
    finally:
        for name, content in whole.items():
            (folder / name).write_bytes(content)


# --- lists and settings ---


def text_seeds(place: Path) -> list[bytes]:
    from unbraid.models.unet.config import UNetConfig

    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6}
    sizes = {"model_type": "wav2vec2", "hidden_size": 12, "conv_dim": [4, 6], "added_tokens_decoder": {}}
    making = {"input_bytes": 1, "input_mtime_ns": 1, "model": "m", "model_files": {}, "options": {}}
    made = {"sha256": "0", "gain_db": 0, "input": "a", "version": "1", "making": making}
    config = spleeter_config(("vocals", "drums"), UNetConfig(filters=(2, 3, 4, 5, 6, 7)))
    (place / "songs").mkdir(exist_ok=True)
    return [
        b"path,speaker,split,text\na.wav,ann,train,one two\nb.wav,ben,test,three\n",
        b"id,seconds,path_1,start_1,gain_db_1\nm1,2.5,a.wav,0,-2.5\n",
        b"mix_path,vocals_path,drums_path\na/mix.wav,a/vocals.wav,a/drums.wav\n",
        b"aalborg AO1 L B AO0 R G # place, danish\naalborg(2) AA1 L B AO0 R G\n",
        b'task = "speech"\n[model]\nfeatures = 64\nfilters = [1, 2]\n[data]\nfolders = ["a"]\n',
        *(json.dumps(value).encode() for value in (vocabulary, sizes, config, {"format": 1, "files": {"a.wav": made}})),
    ]


def read_texts(place: Path, data: bytes) -> None:
    from unbraid.cli.files.record import claims
    from unbraid.corpora import fixed, manifest, pronunciations, spleeter_csv, transcripts
    from unbraid.hub.importers import ctc_vocabulary, spleeter_config, wav2vec2

    names = ("manifest.csv", "cmudict.dict", "vocab.json", "config.json", "preprocessor_config.json", "songs/train.csv")
    for name in (*names, "tokenizer_config.json", ".unbraid.json"):
        (place / name).write_bytes(data)
    (place / "pytorch_model.bin").touch()
    attempts: list[Callable[[], object]] = [
        lambda: manifest.find_speakers(place, "train"),
        lambda: transcripts.find_utterances(place),
        lambda: fixed.listed(place / "manifest.csv", 1),
        lambda: spleeter_csv.find_songs(place / "songs", "train"),
        lambda: pronunciations.find_pronunciations(place, "train"),
        lambda: spleeter_config.read_config(place / "config.json"),
        lambda: ctc_vocabulary.read_symbols(place, 7, None),
        lambda: wav2vec2.open_folder(place, with_head=True).geometry(7),
        lambda: claims(place / ".unbraid.json"),
    ]
    if "torch" in sys.modules or _here("lightning"):
        attempts.append(lambda: _read_recipe(place / "manifest.csv"))
    for attempt in attempts:
        with contextlib.suppress(UnbraidError):
            attempt()


def line_seeds(place: Path) -> list[bytes]:
    return [
        "[Verse 1]\nDon’t stop, 7 times – OK?\n\n(Chorus)\nANNA: naïve 日本 [laughs]\nANNA: no\n".encode(),
        b"[ar:me]\n[00:12.00][01:15.50]chorus <00:12.50> again\n[00:20.1]verse\n",
        b"1\n00:00:01,000 --> 00:00:02,500\n{\\an8}<i>Hello</i>\nthere\n\n2\n00:00:03,000 --> 00:00:04,000\nyou\n",
        b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:left\n<v Anna>Fish &amp; <c.loud>chips</c>\n",
        b"[Script Info]\n[Events]\nDialogue: 0,0:00:05.00,0:00:06.00,My,anna,0,0,0,,{\\k10}later, {\\k20}then\\Nhe\n",
    ]


def read_lines(place: Path, data: bytes) -> None:
    from unbraid.hub.vocabulary import SPECIAL, Vocabulary
    from unbraid.tasks.alignment.formats import FORMATS, written
    from unbraid.tasks.alignment.lines import AlignedLine
    from unbraid.tasks.alignment.spelling import Script
    from unbraid.tasks.alignment.texts import lines_in, read_text
    from unbraid.tasks.transcription.transcript import Word

    (place / "lines.txt").write_bytes(data)
    with contextlib.suppress(UnbraidError):
        lines = lines_in(read_text(place / "lines.txt"))
        for symbols in (" 'abcdefghijklmnopqrstuvwxyz", "0123456789", ("▁", "▁th", "e", "re", "o")):
            script = Script.of(lines, Vocabulary((*SPECIAL, *symbols)))
            timed = [
                AlignedLine(line.text, tuple(Word(w.text, n, n + 0.5, 1.0, line.voice, w.joined) for w in words), n)
                for n, (line, words) in enumerate(zip(script.lines, script.words, strict=True))
            ]
            for form in FORMATS:
                written(timed, form)


def _here(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def _read_recipe(path: Path) -> None:
    from unbraid.training.recipe_reader import read_tables

    read_tables(path, ("data.folders=[1]",))


TARGETS = {
    "audio": Target("audio files of all formats", audio_seeds, read_audio),
    "torch": Target("the pickle inside a file of torch.save", torch_seeds, read_torch),
    "zip": Target("a file of torch.save", zip_seeds, read_zip),
    "tensorflow": Target("a block of a TensorFlow index, its checksum right", tensorflow_seeds, read_tensorflow),
    "safetensors": Target("the header of a safetensors file", safetensors_seeds, read_safetensors),
    "yaml": Target("hyperparams.yaml and metadata.yaml", yaml_seeds, read_yaml),
    "sentencepiece": Target("a SentencePiece model of characters", sentencepiece_seeds, read_sentencepiece),
    "basic-pitch": Target("the published file of Basic Pitch", basic_pitch_seeds, read_basic_pitch),
    "spec": Target("spec.json of a model that is then used", spec_seeds, read_spec, ("onnx",)),
    "onnx": Target("the graph of a model that is then used, its hash right", onnx_seeds, read_onnx, ("onnx",)),
    "texts": Target("manifests, dictionaries, recipes, vocabularies, records", text_seeds, read_texts),
    "lines": Target("texts to align: lyrics, scripts, LRC, SRT, WebVTT, ASS", line_seeds, read_lines),
    "http": Target("answers of a server to a download", http_seeds, read_http),
}
