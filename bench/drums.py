"""Kick, snare and hi-hat of rendered songs against their MIDI -> results/drums-SPLIT.json.

    unbraid data render --midi midi/freedoom --soundfont TimGM6mb.sf2 --split test --sung 0 --songs 12 --seed 33
    python bench/drums.py songs/test

F of onsets (50 ms) by mir_eval, over the hits of all songs, of the drums alone, as they are separated, and in the
mixture.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import mir_eval
import numpy as np

from unbraid import Separator, audio
from unbraid.corpora.rendering.arrange import arranged
from unbraid.corpora.rendering.draw import play_through
from unbraid.corpora.rendering.midi import notes_of
from unbraid.corpora.rendering.plan import Plan
from unbraid.hub.defaults import MUSIC
from unbraid.tasks.analysis.drums import DrumTracker

PITCHES = {"kick": (35, 36), "snare": (37, 38, 39, 40), "hi-hat": (42, 44, 46)}
HEARD = {"kick": 36, "snare": 38, "hi-hat": 42}


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    arguments = parser.parse_args()
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    songs = 0
    with Separator(MUSIC) as separator:
        for place in sorted(path.parent for path in arguments.songs.glob("*/song.json")):
            plan, sounds = Plan.read(place / "song.json"), {p.stem: audio.read(p) for p in place.glob("*.flac")}
            if "drums" not in sounds or len(sounds) < 2:
                continue
            songs += 1
            played = notes_of(arranged(play_through(plan.excerpts, plan.tempo), plan)["drums"])
            rate = sounds["drums"][1]
            mixture = np.sum([sound for sound, _ in sounds.values()], axis=0, dtype=np.float32)
            sides = {"alone": sounds["drums"][0], "separated": separator(mixture, rate)["drums"], "mixture": mixture}
            for side, sound in sides.items():
                tracker = DrumTracker(rate)
                tracker.push(sound, mixture)
                found = tracker.finish()
                for name, pitches in PITCHES.items():
                    truth = sorted({n.start for n in played if n.pitch in pitches and n.start < plan.seconds})
                    told = [note.start for note in found if note.pitch == HEARD[name]]
                    right = (
                        len(mir_eval.util.match_events(np.array(truth), np.array(told), 0.05)) if truth and told else 0
                    )
                    for part in (name, "all"):
                        sums[f"{side}, {part}"] += right, len(truth), len(told)
            scores = {key: round(2 * c[0] / max(1, c[1] + c[2]), 3) for key, c in sorted(sums.items())}
            print(songs, scores, flush=True)
    place = Path(__file__).parent / "results" / f"drums-{arguments.songs.name}.json"
    place.write_text(json.dumps({"songs": songs, "f": scores}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
