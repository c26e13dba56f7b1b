"""Lyrics of songs whose words are known, by a recogniser -> results/lyrics.json.

    python bench/sung.py speech16k --texts --songs 6 --midi MIDI --soundfont FILE.sf2 --out songs
    python bench/lyrics.py songs --model openai/whisper-base

Word error rates of the voice alone, of the vocals as `unbraid analyse` separates and hears them (sung passages of the
stem), of the whole stem, and of the mixture.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from unbraid import Separator, SpeakerEmbedder, Transcriber, WhisperOptions, audio
from unbraid.evaluation.text.scoring import edit_distance
from unbraid.evaluation.text.transcription import plain_words
from unbraid.hub.defaults import MUSIC
from unbraid.tasks.analysis.lyrics_reading import transcribing
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.song_api import SongListening
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.stream import Track

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
        SpeakerEmbedder("voice") as embedder,
    ):
        listening = SongListening(separator, SingerSearch(embedder), lyrics=transcribing(transcriber), force=True)
        for place in sorted(path.parent for path in arguments.songs.glob("*/song.json")):
            turns = json.loads((place / "song.json").read_text(encoding="utf-8"))["turns"]
            said = words_of(" ".join(turn["text"] for turn in turns))
            words += len(said)
            voice, rate = audio.read(place / "vocals.flac")
            mixture = voice + audio.read(place / "accompaniment.flac")[0]
            stems: list[np.ndarray] = []
            heard = SongListening(
                separator, listening.search, lyrics=listening.lyrics, force=True,
                taker=lambda found, kept=stems: kept.append(found["vocals"]),
            )  # fmt: skip
            (song,) = heard.heard(Track.of(mixture, rate), Diagnostics(MUSIC))
            texts = {
                "voice alone": transcriber(voice, rate).text,
                "sung passages": song.lyrics.text,
                "whole stem": transcriber(np.concatenate(stems, axis=1), rate).text,
                "mixture": transcriber(mixture, rate).text,
            }
            for side, text in texts.items():
                errors[side] = errors.get(side, 0) + edit_distance(said, words_of(text))
            print(place.name, words, {side: f"{100 * count / words:.1f} %" for side, count in errors.items()}, flush=True)
    found = {"model": arguments.model, "words": words, "errors": errors}
    found["wer"] = {side: round(count / words, 4) for side, count in errors.items()}
    (Path(__file__).parent / "results" / "lyrics.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
