"""Melodies and notes of rendered songs, against the MIDI and f0 that they were made of -> results/analysis-SPLIT.json.

    unbraid data render --midi MIDI --soundfont TimGM6mb.sf2 --voices VOICES --split test --songs 8 --sung 1 --out songs
    python bench/analysis.py songs/test [--limit N]
    python bench/analysis.py music/test                          # recorded songs, SONG/{vocals,drums,…}.ogg

Scores are mir_eval's: of melodies raw pitch and raw chroma accuracy (50 cents), voicing recall and false alarms, and
overall accuracy; of notes F of onset and pitch (50 ms, 50 cents), and with offsets too (20 %). A song's parts are heard
as they are (stem), as a model separates them from the mixture (separated), and in the mixture itself. Of a recorded
song, the minute with the loudest vocals counts; its truth is what WORLD (DIO and StoneMask) finds in the vocals alone.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np

from unbraid import Notes, NoteTranscriber, Separator, audio
from unbraid.corpora.rendering.arrange import arranged
from unbraid.corpora.rendering.draw import play_through
from unbraid.corpora.rendering.midi import notes_of
from unbraid.corpora.rendering.plan import Plan
from unbraid.corpora.rendering.singer import sung_f0
from unbraid.corpora.rendering.singing import FRAME_SECONDS, world
from unbraid.dsp.pitch import pitch_hz
from unbraid.tasks.analysis.api import SEPARATOR, VOCALS
from unbraid.tasks.analysis.melody import Melody
from unbraid.tasks.analysis.melody_tracker import melody_of

PITCHED = ("piano", "bass", "other")
MELODY = {
    "Raw Pitch Accuracy": "raw_pitch",
    "Raw Chroma Accuracy": "raw_chroma",
    "Voicing Recall": "voicing_recall",
    "Voicing False Alarm": "voicing_false_alarm",
    "Overall Accuracy": "overall",
}
Scores = dict[str, float]


@dataclass(frozen=True)
class Song:
    """A rendered song: its plan, and the sound (2, T) of each part."""

    plan: Plan
    parts: dict[str, np.ndarray]
    sample_rate: int

    @classmethod
    def read(cls, folder: Path) -> "Song":
        """A song's folder."""
        found = {path.stem: audio.read(path) for path in sorted(folder.glob("*.flac"))}
        (rate,) = {rate for _, rate in found.values()}
        return cls(Plan.read(folder / "song.json"), {name: sound for name, (sound, _) in found.items()}, rate)

    @property
    def mixture(self) -> np.ndarray:
        """The sum of the parts."""
        return np.sum(list(self.parts.values()), axis=0, dtype=np.float32)

    def truth(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Intervals (n, 2) in seconds and frequencies (n,) in Hz of the notes of a part; of "all" those of all."""
        events = arranged(play_through(self.plan.excerpts, self.plan.tempo), self.plan)
        names = PITCHED if part == "all" else (part,)
        played = {
            (note.start, min(note.end, self.plan.seconds), note.pitch)
            for name in names
            if name in self.parts
            for note in notes_of(events[name])
            if note.start < min(note.end, self.plan.seconds)
        }
        rows = np.array(sorted(played)).reshape(-1, 3)
        return rows[:, :2], pitch_hz(rows[:, 2])


def note_scores(truth: tuple[np.ndarray, np.ndarray], found: Notes) -> Scores:
    """F of onsets and pitches, and with offsets, precision and recall."""
    intervals = np.array([(note.start, note.end) for note in found]).reshape(-1, 2)
    pitches = np.array([note.hz for note in found])
    if not len(intervals):
        return dict.fromkeys(("f", "precision", "recall", "f_offsets"), 0.0)
    score = mir_eval.transcription.precision_recall_f1_overlap
    precision, recall, f, _ = score(*truth, intervals, pitches, offset_ratio=None)
    return {"f": f, "precision": precision, "recall": recall, "f_offsets": score(*truth, intervals, pitches)[2]}


def melody_scores(f0: np.ndarray, found: Melody) -> Scores:
    """Pitch, chroma and voicing against f0 (N,) in frames of 5 ms."""
    times = FRAME_SECONDS * np.arange(len(f0))
    heard = (found.times, found.hz) if len(found) else (np.array([0.0, times[-1]]), np.zeros(2))
    scores = mir_eval.melody.evaluate(times, f0, *heard)
    return {ours: float(scores[theirs]) for theirs, ours in MELODY.items()}


def scored(song: Song, transcriber: NoteTranscriber, separator: Separator) -> Iterator[tuple[str, Scores]]:
    """The scores of a song by what was heard: "melody, separated"."""
    rate, mixture = song.sample_rate, song.mixture
    stems = separator(mixture, rate)
    if VOCALS in song.parts and song.plan.singer and song.plan.singer.sung:
        f0 = sung_f0(song.plan, notes_of(play_through(song.plan.excerpts, song.plan.tempo)))
        yield from melodies(f0, song.parts[VOCALS], stems[VOCALS], mixture, rate)
    heard = transcriber(mixture, rate)
    for part in (*PITCHED, "all"):
        truth = song.truth(part)
        if not len(truth[0]):
            continue
        yield f"{part}, mixture", note_scores(truth, heard)
        if part != "all":
            yield f"{part}, stem", note_scores(truth, transcriber(song.parts[part], rate, stem=part))
            separated = transcriber(stems[part], rate, stem=part, recording=mixture)
            yield f"{part}, separated", note_scores(truth, separated)


def melodies(
    f0: np.ndarray, voice: np.ndarray, separated: np.ndarray, mixture: np.ndarray, rate: int
) -> Iterator[tuple[str, Scores]]:
    """The scores of the melody of a voice (2, T) alone, as it was separated, and in the mixture."""
    yield "melody, stem", melody_scores(f0, melody_of(voice, rate))
    yield "melody, separated", melody_scores(f0, melody_of(separated, rate, recording=mixture))
    yield "melody, mixture", melody_scores(f0, melody_of(mixture, rate))


def recorded(folder: Path, separator: Separator) -> Iterator[tuple[str, Scores]]:
    """The scores of the melody of a recorded song, in the minute with the loudest vocals."""
    sounds = {path.stem: audio.read(path) for path in sorted(folder.glob("*.*"))}
    (rate,) = {rate for _, rate in sounds.values()}
    vocals = sounds[VOCALS][0]
    powers = [float(np.mean(vocals[:, i : i + 60 * rate] ** 2)) for i in range(0, vocals.shape[1] - 60 * rate, rate)]
    start = rate * int(np.argmax(powers)) if powers else 0
    parts = {name: sound[:, start : start + 60 * rate] for name, (sound, _) in sounds.items()}
    mixture = np.sum(list(parts.values()), axis=0, dtype=np.float32)
    voice = parts[VOCALS].mean(0).astype(np.float64)
    rough, times = world().dio(voice, rate, f0_floor=65.0, f0_ceil=1000.0, frame_period=1000 * FRAME_SECONDS)
    f0 = world().stonemask(voice, rough, times, rate)
    yield from melodies(f0, parts[VOCALS], separator(mixture, rate)[VOCALS], mixture, rate)


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, help="a folder of songs as `unbraid data render` writes them, or recorded")
    parser.add_argument("--limit", type=int, help="at most so many songs")
    arguments = parser.parse_args()
    is_rendered = any(arguments.songs.glob("*/song.json"))
    marks = arguments.songs.glob("*/song.json" if is_rendered else f"*/{VOCALS}.*")
    folders = sorted(path.parent for path in marks)[: arguments.limit]
    found: dict[str, list[Scores]] = defaultdict(list)
    with NoteTranscriber() as transcriber, Separator(SEPARATOR) as separator:
        for folder in folders:
            of_song = scored(Song.read(folder), transcriber, separator) if is_rendered else recorded(folder, separator)
            for what, scores in of_song:
                found[what].append(scores)
            print(f"{folder.name} of {len(folders)} songs", flush=True)
    means = {
        what: {"songs": len(rows), **{name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}}
        for what, rows in sorted(found.items())
    }
    for what, scores in means.items():
        print(what, scores)
    place = (
        Path(__file__).parent / "results" / f"analysis-{'' if is_rendered else 'recorded-'}{arguments.songs.name}.json"
    )
    place.write_text(json.dumps(means, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
