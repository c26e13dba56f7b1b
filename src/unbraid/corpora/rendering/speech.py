"""Synthetic voices: made-up words by espeak-ng, as full-band material for singing.

A formant synthesiser is not a person, but it has the high frequencies that telephone speech lacks, and its languages
and variants give a hundred different voices. Words have open syllables, because vowels are sung.
(https://github.com/espeak-ng/espeak-ng)
"""

import csv
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora import manifest
from unbraid.corpora.rendering.programs import find_program
from unbraid.corpora.rendering.stock import split_of
from unbraid.errors import UnbraidError, UsageError
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors, sweep

LANGUAGES = ("en-us", "en-gb", "de", "es", "it", "fr-fr", "sv", "pt", "nl")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5")
_ONSETS = (
    *("b", "bl", "br", "d", "dr", "f", "fl", "fr", "g", "gr", "h", "k", "kl", "l"),
    *("m", "n", "p", "pl", "r", "s", "sh", "st", "str", "t", "tr", "v", "w", "z"),
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "au", "ea", "ee", "oa", "oo")
_CODAS = ("", "", "", "", "n", "m", "l", "r", "s", "t", "nd")
_WORDS = (6, 13)
_COLUMNS = ("path", "speaker", "split", "text")


@dataclass(frozen=True)
class Take:
    """An utterance to synthesise."""

    voice: str
    text: str  # as the manifest has it
    command: tuple[str, ...]  # of the synthesiser; the output file is appended
    split: str = ""  # else it follows from the voice


def speak(folder: Path, utterances: int, seed: int = 0) -> Iterator[Path]:
    """Write utterances of made-up words and their manifest.csv into a new folder; yields each path once it is written.

    Raises:
        RuntimeUnavailable: espeak-ng is not installed.
        UsageError: the folder is there already.
    """
    program = find_program("espeak-ng")
    yield from record(folder, (_take(program, np.random.default_rng((seed, n))) for n in range(utterances)))


def record(folder: Path, takes: Iterable[Take]) -> Iterator[Path]:
    """Synthesise takes into a new folder with a manifest.csv; yields each path once it is written.

    Raises:
        UsageError: the folder is there already.
        UnbraidError: a program failed.
    """
    sweep(folder.parent)
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder, or remove it.")
    rows = []
    with disk_errors(folder, " with --out"), appearing(folder, replace=False) as hidden:
        hidden.mkdir()
        for number, take in enumerate(takes):
            path = Path(take.voice, f"{number:05d}.flac")
            (hidden / take.voice).mkdir(exist_ok=True)
            _say(take, hidden / path)
            split = take.split or split_of(take.voice.encode())
            rows.append((path.as_posix(), take.voice, split, take.text))
            yield folder / path
        with (hidden / manifest.NAME).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_COLUMNS, *rows])


def words(count: int, random: np.random.Generator) -> str:
    """`count` made-up words."""
    return " ".join("".join(_syllable(random) for _ in range(random.integers(1, 4))) for _ in range(count))


def _syllable(random: np.random.Generator) -> str:
    return str(random.choice(_ONSETS)) + str(random.choice(_VOWELS)) + str(random.choice(_CODAS))


def _take(program: str, random: np.random.Generator) -> Take:
    voice = f"{random.choice(LANGUAGES)}+{random.choice(VARIANTS)}"
    text = words(int(random.integers(*_WORDS)), random)
    pitch, words_a_minute = str(random.integers(20, 80)), str(random.integers(90, 160))
    return Take(voice, text, (program, "-v", voice, "-p", pitch, "-s", words_a_minute, text, "-w"))


def _say(take: Take, path: Path) -> None:
    wav = path.with_suffix(".wav")
    done = subprocess.run([*take.command, str(wav)], capture_output=True, text=True, errors="replace")
    if done.returncode or not wav.is_file():
        name = Path(take.command[0]).name
        raise UnbraidError(f"{name} failed with the voice {take.voice}: {done.stderr.strip() or 'it said nothing'}.")
    sound, rate = audio.read(wav)
    audio.write(path, sound, rate, audio.choose_format("flac", subtype="16"))
    wav.unlink()
