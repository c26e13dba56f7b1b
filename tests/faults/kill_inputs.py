"""What the commands that are killed start from, and stand-ins for networks, publishers and other people's programs."""

import dataclasses
import importlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

for neighbour in ("cli", "training", "."):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))

from cli_fakes import FakeSeparator  # noqa: E402

from conversion_fakes import converter  # noqa: E402
from engine_fakes import speech_spec, weights, write_model  # noqa: E402
from recognizer_fakes import ears  # noqa: E402
from side_fakes import WRITERS, side_spec  # noqa: E402
from song_fakes import RATE as SONG_RATE  # noqa: E402
from song_fakes import STEMS, StemsInChannels, stems_of  # noqa: E402
from speaking_fakes import FakeVocoder, synthesizer  # noqa: E402
from talkers import write_talkers  # noqa: E402
from unbraid import audio  # noqa: E402
from unbraid.hub import names as hub  # noqa: E402
from unbraid.hub.importers import Checkpoint  # noqa: E402
from unbraid.tasks.separation.content import Content  # noqa: E402
from unbraid.tasks.transcription.transcriber import Transcriber  # noqa: E402
from voice_fakes import ByBand, counting, voices  # noqa: E402

for name in (
    *("cli.separation", "cli.diarization", "cli.transcription", "cli.conversion", "cli.checkup", "corpora.conversing"),
    *("cli.analysis", "cli.tracking", "tasks.analysis.song_api", "tasks.analysis.singers_api"),
    *("corpora.rendering", "evaluation.evaluators", "hub.publishers", "runtime.ort"),
    *("tasks.attention", "tasks.pages", "tasks.synthesis.synthesizer"),
    *("tasks.pages.stems_page", "tasks.pages.attention_page", "tasks.pages.plots"),
):
    importlib.import_module(f"unbraid.{name}")  # all is there before a child is made

RATE = 8000  # Hz
TEMPORARY = "tmp"
# programs that do nothing but leave a recording where they are told to
FLUIDSYNTH = '#!/bin/sh\nwhile [ "$1" != -F ]; do shift; done\ncp played.wav "$2"\n'
ESPEAK = '#!/bin/sh\nfor last; do :; done\ncp a.wav "$last"\n'


class Embedder(ByBand):
    """Embeddings that a command opens."""

    device, device_reason = "cpu", "a fake"

    def __init__(self, model: str, **_: object) -> None:
        self.model = model

    def __enter__(self) -> "Embedder":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def make_inputs(folder: Path) -> None:
    """Recordings, models, checkpoints, a corpus of two mixtures; what songs are rendered of, what is trained on."""
    random = np.random.default_rng(0)
    wav = audio.choose_format("wav", subtype="16")
    folder.mkdir(parents=True)
    for name in "ab":
        audio.write(folder / f"{name}.wav", random.normal(0, 0.1, (1, 800)).astype(np.float32), RATE, wav)
    for name in ("checkpoint", "other", TEMPORARY):
        (folder / name).mkdir()
    write_model(folder / "model", speech_spec())
    write_model(folder / "speller", side_spec(WRITERS["text to text"]))
    audio.write(folder / "talk.wav", voices((0, 0, 1), (1, 1, 2), seconds=2).sum(0), RATE, wav)
    song = np.concatenate([stems_of(bars=1)[stem] for stem in STEMS])
    audio.write(folder / "song.wav", song, SONG_RATE, wav)
    np.save(folder / "anna.npy", np.ones(3, np.float32))
    write_talkers(folder / "talkers")
    _make_programs(folder)
    if importlib.util.find_spec("torch"):
        _make_training(folder)
    for number in range(2):
        noises = random.normal(0, 0.1, (2, 1600)).astype(np.float32)
        for place, samples in zip(("mix", "s1", "s2"), (noises.sum(0), *noises), strict=True):
            path = folder / "data/2speakers/wav8k/min/tt" / place / f"01a_0.5_02b_-0.5-{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, samples[None], RATE, wav)


def fetch(entry: Any, staging: Path, *_: object) -> SimpleNamespace:
    """A stand-in for all publishers."""
    (staging / "files").mkdir(exist_ok=True)
    for name in ("one", "two"):
        (staging / "files" / f"{name}.part").write_bytes(b"bytes")
        (staging / "files" / f"{name}.part").replace(staging / "files" / name)
    return SimpleNamespace(folder=staging / "files", provenance="a test")


def fake_everything(patch: Any, cache: str) -> None:
    """Stand-ins; cache, temporary folder and programs are below the folder that a command is given in."""
    spec = speech_spec()

    def read_checkpoint(folder: Path, name: str) -> Checkpoint:
        tensors = {key: value * np.float32(len(folder.name)) for key, value in weights(spec.geometry).items()}
        return Checkpoint(tensors, dataclasses.replace(spec, name=name))

    def transcriber(model: str, **options: Any) -> Transcriber:
        return Transcriber.over(ears(name=model), beams=options["beams"], long=None, long_seconds=120.0)

    def separator(model: str, **options: Any) -> Any:
        return counting(options["options"]) if model == "voices" else FakeSeparator(model, **options)

    patch.setenv("UNBRAID_CACHE", cache)
    patch.setenv("PATH", f"bin{os.pathsep}{os.environ['PATH']}")
    patch.setattr(tempfile, "tempdir", TEMPORARY)
    patch.setattr("unbraid.tasks.synthesis.synthesizer.Synthesizer", lambda model, **_: synthesizer(FakeVocoder()))
    patch.setattr(sys.modules["unbraid.cli.separation"], "Separator", separator)
    patch.setattr(sys.modules["unbraid.cli.diarization"], "Separator", separator)
    patch.setattr(sys.modules["unbraid.cli.transcription"], "Transcriber", transcriber)
    patch.setattr(sys.modules["unbraid.cli.conversion"], "VoiceConverter", lambda model, **_: converter())
    patch.setattr(sys.modules["unbraid.cli.analysis"], "Separator", StemsInChannels)
    patch.setattr(sys.modules["unbraid.cli.analysis"], "open_transcriber", lambda **_: None)
    for caller in ("analysis", "tracking"):
        patch.setattr(sys.modules[f"unbraid.cli.{caller}"], "SpeakerEmbedder", Embedder)
    for caller in ("song_api", "singers_api"):
        patch.setattr(f"unbraid.tasks.analysis.{caller}.content_of_file", lambda *_: Content("music", 0.9))
    patch.setattr(hub, "_read_checkpoint", read_checkpoint)
    patch.setattr("unbraid.hub.publishers.fetch_published", fetch)
    patch.setattr("unbraid.tasks.pages.plots.available", lambda: False)  # they take seconds, and go into the page
    patch.setattr(hub, "_as_published", lambda spec, entry, provenance: dataclasses.replace(spec, name=entry.name))


def _make_programs(folder: Path) -> None:
    """A song, and programs that play and speak."""
    (folder / "bin").mkdir()
    for name, script in {"fluidsynth": FLUIDSYNTH, "espeak-ng": ESPEAK}.items():
        (folder / "bin" / name).write_text(script)
        (folder / "bin" / name).chmod(0o755)
    (folder / "font.sf2").write_bytes(b"RIFF\4\0\0\0sfbk")
    noise = np.random.default_rng(1).normal(0, 0.1, (2, 22050)).astype(np.float32)
    audio.write(folder / "played.wav", noise, 44100, audio.choose_format("wav", subtype="16"))
    if importlib.util.find_spec("mido"):
        import mido

        song = mido.MidiFile(ticks_per_beat=480)
        track = song.add_track()
        for pitch in (60, 62, 64, 65) * 8:
            track.append(mido.Message("note_on", note=pitch, velocity=90))
            track.append(mido.Message("note_off", note=pitch, time=480))
        (folder / "songs/train").mkdir(parents=True)
        song.save(folder / "songs/train/song.mid")


def _make_training(folder: Path) -> None:
    """A checkpoint, a corpus and a recipe."""
    import torch
    from train_helpers import RECIPE, write_corpus

    from unbraid.models.sepformer.network import SepFormer

    spec = speech_spec()
    torch.manual_seed(0)
    saved = {"model": SepFormer(spec.geometry).state_dict(), "config": dataclasses.asdict(spec.geometry)}
    torch.save(saved, folder / "best.pt")
    write_corpus(folder / "voices")
    (folder / "tiny.toml").write_text(RECIPE.replace('"corpus"', '"voices"'))
