"""Who sings in songs of known voices, with and without enrolment -> results/singers-SPLIT-MODEL.json.

    python bench/sung.py speech8k --split test --songs 12 --midi MIDI --soundfont FILE.sf2 --out singers/test
    python bench/singers.py singers/test [--embedder NAME]

Scores are shares of the time in which somebody sings and is heard. Five or four voices are enrolled, those of the song
and three others, by what they sing or say alone; in each second of four draws one voice of the song is not, and is to
be unknown. Without enrolment, each voice counts as the singer that makes most right. Songs are heard as the voice
alone, as `unbraid singers` separates them, and as they are.
"""

import argparse
import itertools
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unbraid import Separator, SpeakerEmbedder, audio
from unbraid.hub.defaults import MUSIC
from unbraid.tasks.analysis.singers import UNKNOWN, Singers, singers_of
from unbraid.tasks.analysis.voice_pieces import SungVoices, VoicePieces

DRAWS, OTHERS = 4, 3
FRAMES = 10  # a second
Labels = np.ndarray  # (N,) of names, "" where nobody is


def pieces_of(stem: np.ndarray, recording: np.ndarray | None, rate: int, embedder: SpeakerEmbedder) -> SungVoices:
    """The sung pieces of a sound (C, T)."""
    pieces = VoicePieces(rate, embedder)
    for start in range(0, stem.shape[1], rate):
        part = slice(start, start + rate)
        pieces.push(stem[:, part], None if recording is None else recording[:, part])
    return pieces.finish()


def centre(sung: SungVoices) -> np.ndarray:
    """The embedding (D,) of one voice."""
    total = (sung.voices.embeddings * sung.voices.weights[:, None]).sum(0)
    return np.asarray(total / np.linalg.norm(total))


def truth(place: Path, frames: int) -> Labels:
    """Who sings, in frames."""
    found = np.full(frames, "", object)
    for turn in json.loads((place / "song.json").read_text(encoding="utf-8"))["turns"]:
        found[round(turn["start"] * FRAMES) : round(turn["end"] * FRAMES)] = turn["speaker"].replace("/", "_")
    return found


def labels(found: Singers, frames: int) -> Labels:
    """Who is said to sing, in frames."""
    told = np.full(frames, "", object)
    for passage in found.passages:
        told[round(passage.start * FRAMES) : round(passage.end * FRAMES)] = passage.speaker
    return told


def enrolled_score(sung: SungVoices, sang: Labels, known: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
    """Frames of enrolled voices that are right, all of them, and the same of unknown ones (4,)."""
    counts = np.zeros(4)
    for draw in range(DRAWS):
        own = sorted(set(sang) - {""})
        others = [name for name in known if name not in own]
        names = [*np.random.default_rng((seed, draw)).permutation(others)[:OTHERS].tolist(), *own]
        if draw % 2:
            names.remove(own[0])
        told = labels(singers_of(sung, "", {name: known[name] for name in names}), sung.frames)
        wanted = np.where(np.isin(sang.astype(str), names), sang, UNKNOWN)
        both = (sang != "") & (told != "")
        for place, here in ((0, both & (wanted != UNKNOWN)), (2, both & (wanted == UNKNOWN))):
            counts[place : place + 2] += (told[here] == wanted[here]).sum(), here.sum()
    return counts


def cluster_score(sung: SungVoices, sang: Labels) -> np.ndarray:
    """Frames that are right, all, whether the number of singers is, and 1 (4,)."""
    found = singers_of(sung, "")
    told, own, names = labels(found, sung.frames), sorted(set(sang) - {""}), list(found.names)
    both = (sang != "") & (told != "")
    best = max(
        sum(int((both & (sang == voice) & (told == name)).sum()) for voice, name in zip(own, order, strict=True))
        for order in itertools.permutations([*names, *["-"] * len(own)], len(own))
    )
    return np.array([best, both.sum(), len(own) == len(names), 1])


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--embedder", default="voice")
    arguments = parser.parse_args()
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(4))
    with SpeakerEmbedder(arguments.embedder) as embedder, Separator(MUSIC) as separator:
        known: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        for path in sorted(arguments.songs.glob("voices/*/*.flac")):
            known[path.stem][path.parent.name] = centre(
                pieces_of(audio.read(path)[0], None, audio.read(path)[1], embedder)
            )
        places = sorted(path.parent for path in arguments.songs.glob("*/song.json"))
        for number, place in enumerate(places):
            voice, rate = audio.read(place / "vocals.flac")
            mixture = voice + audio.read(place / "accompaniment.flac")[0]
            stem = separator(mixture, rate)["vocals"]
            for side, heard in {
                "voice alone": (voice, None), "separated": (stem, mixture), "mixture": (mixture, None),
            }.items():  # fmt: skip
                sung = pieces_of(*heard, rate, embedder)
                sang = truth(place, sung.frames)
                sums[f"{side}, clustered"] += cluster_score(sung, sang)
                for kind, voices in known.items():
                    sums[f"{side}, enrolled by {kind}"] += enrolled_score(sung, sang, voices, number)
            print(place.name, flush=True)
    found = {
        side: {
            "right": round(c[0] / c[1], 3),
            "number" if "clustered" in side else "unknown": round(c[2] / max(1, c[3]), 3),
        }
        for side, c in sorted(sums.items())
    }
    for side, scores in found.items():
        print(side, scores)
    name = f"singers-{arguments.songs.name}-{Path(arguments.embedder).name}.json"
    content = json.dumps({"songs": len(places), **found}, indent=1)
    (Path(__file__).parent / "results" / name).write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
