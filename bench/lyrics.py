"""Lyrics of songs whose words are known, by a recogniser -> results/lyrics-SPLIT.json.

    python bench/sung.py speech16k --texts --split test --songs 6 --midi MIDI --soundfont FILE.sf2 --out lyrics/test
    python bench/lyrics.py lyrics/test --model openai/whisper-base

Word error rates of the voice alone; of the sung passages, heard in the stem of vocals, in the mixture, and in the stem
with the rest of the mixture 6 dB softer; and of the whole mixture.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from unbraid import Separator, Transcriber, WhisperOptions, audio
from unbraid.evaluation.text.scoring import edit_distance
from unbraid.evaluation.text.transcription import plain_words
from unbraid.hub.defaults import MUSIC
from unbraid.tasks.analysis.levels import Mono
from unbraid.tasks.analysis.lyrics_reading import MARGIN_SECONDS
from unbraid.tasks.analysis.song import passages_of

TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}  # LibriSpeech writes them out


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, as they are compared."""
    return tuple(TITLES.get(word, word) for word in plain_words(text))


def main() -> None:
    """Read the command line, transcribe, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--model", default="openai/whisper-base")
    arguments = parser.parse_args()
    errors: dict[str, int] = {}
    words = 0
    with (
        Transcriber(arguments.model, whisper=WhisperOptions(language="en")) as transcriber,
        Separator(MUSIC) as separator,
    ):
        for number, place in enumerate(sorted(path.parent for path in arguments.songs.glob("*/song.json")), 1):
            turns = json.loads((place / "song.json").read_text(encoding="utf-8"))["turns"]
            said = words_of(" ".join(turn["text"] for turn in turns))
            words += len(said)
            voice, rate = audio.read(place / "vocals.flac")
            mixture = voice + audio.read(place / "accompaniment.flac")[0]
            stem = separator(mixture, rate)["vocals"]
            passages = sung_passages(stem, mixture, rate)
            heard = {
                "voice alone": voice,
                "stem": gated(stem, passages, rate),
                "stem, rest -6 dB": gated(stem + 0.5 * (mixture - stem), passages, rate),
                "mixture": gated(mixture, passages, rate),
                "whole mixture": mixture,
            }
            for side, sound in heard.items():
                count = edit_distance(said, words_of(transcriber(sound, rate).text))
                errors[side] = errors.get(side, 0) + count
            found = {"songs": number, "words": words, "wer": {k: round(v / words, 4) for k, v in errors.items()}}
            print(found, flush=True)
            name = f"lyrics-{arguments.songs.name}.json"
            (Path(__file__).parent / "results" / name).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def sung_passages(stem: np.ndarray, mixture: np.ndarray, rate: int) -> list[tuple[float, float]]:
    """Where a voice is heard, as `unbraid analyse` finds it."""
    sides = [Mono(rate, 16000, 1600) for _ in range(2)]
    for side, sound in zip(sides, (stem, mixture), strict=True):
        side(sound)
        side.finish()
    frames = -(-sides[0].samples // 1600)
    return passages_of(*(side.powers(frames) for side in sides))


def gated(sound: np.ndarray, passages: list[tuple[float, float]], rate: int) -> np.ndarray:
    """The sound (C, T), silent but in these passages and shortly around them."""
    kept = np.zeros_like(sound)
    for start, end in passages:
        part = slice(max(0, round((start - MARGIN_SECONDS) * rate)), round((end + MARGIN_SECONDS) * rate))
        kept[:, part] = sound[:, part]
    return kept


if __name__ == "__main__":
    main()
