"""Songs rendered from MIDI, with their truth, their stems as rendered and as separated, and the features of these."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from midi_truth import Truth, truth_of

from unbraid import audio
from unbraid.corpora.rendering.draw import draw_plan
from unbraid.corpora.rendering.plan import Excerpt, Plan, Rendering, SingerPlan, Strip
from unbraid.corpora.rendering.song import is_there, render_song
from unbraid.corpora.rendering.stock import Material, find_stock
from unbraid.errors import UsageError
from unbraid.tasks.analysis.music_features import ROLES, MusicFeatures, MusicFeatureStream
from unbraid.tasks.separation.separator import Separator

SEED = 7
SUNG, PLAIN = Rendering(seconds=60, seed=SEED, sung=1.0), Rendering(seconds=45, seed=SEED, sung=0.3)
SUNG_IN_TRAIN = range(0, 33, 3)  # the songs of train that are longer, and separated too
LEAST_SECONDS = 20.0
RATE = 44100  # Hz, of rendered songs
MODEL = "music-4"


@dataclass(frozen=True)
class Song:
    """A rendered song; `features` are by side: rendered, separated (not of all of train), mixture."""

    name: str
    truth: Truth
    features: dict[str, MusicFeatures]


def render(material: Material, split: str, place: Path) -> None:
    """Render each MIDI file of a split that is long enough, unless it is there."""
    stock = find_stock(material, split)
    for number in range(len(stock.midi)):
        how = SUNG if split != "train" or number in SUNG_IN_TRAIN else PLAIN
        try:
            plan, _ = draw_plan(replace(stock, midi=(stock.midi[number],)), how, number)
        except UsageError:  # of 8 notes or 4 s at most
            continue
        if plan.seconds >= LEAST_SECONDS and not is_there(plan, place / split):
            (place / split).mkdir(parents=True, exist_ok=True)
            render_song(plan, place / split, "flac")
            print(split, plan.name, Path(plan.excerpts[0].file).name, flush=True)


def songs(place: Path, split: str) -> Iterator[Song]:
    """The songs of a split, with features that are computed once; of train, only longer songs are separated."""
    separator: Separator | None = None
    for folder in sorted((place / split).glob("song-*")):
        plan = _plan(folder)
        name = Path(plan.excerpts[0].file).stem
        is_separated = split != "train" or plan.seconds > PLAIN.seconds
        separator = separator or (Separator(MODEL) if is_separated else None)
        sides = ("rendered", "mixture", *(("separated",) if is_separated else ()))
        yield Song(name, truth_of(plan), {side: _kept(folder, side, separator) for side in sides})


def _kept(folder: Path, side: str, separator: Separator | None) -> MusicFeatures:
    place = folder / f"{side}.npz"
    if not place.is_file():
        found = _features(folder, side, separator)
        np.savez(
            place, onsets=found.onsets, chroma=found.chroma, rest=[found.tuning_cents, found.seconds, *found.powers]
        )
    with np.load(place) as kept:
        tuning, seconds, *powers = kept["rest"].tolist()
        return MusicFeatures(kept["onsets"], kept["chroma"], tuning, seconds, tuple(powers))


def _features(folder: Path, side: str, separator: Separator | None) -> MusicFeatures:
    parts = {path.stem: audio.read(path)[0] for path in sorted(folder.glob("*.flac"))}
    mixture = np.sum(list(parts.values()), axis=0)
    rate = RATE
    if side == "mixture":
        stream = MusicFeatureStream(rate, roles=1)
        stream.push_roles(mixture.mean(0, keepdims=True))
        return stream.finish()
    if side == "separated":
        assert separator is not None
        parts = dict(separator(mixture, rate))
    stream = MusicFeatureStream(rate)
    stream.push({role: np.zeros_like(mixture) for role in ROLES} | parts)
    return stream.finish()


def _plan(folder: Path) -> Plan:
    values = json.loads((folder / "song.json").read_text(encoding="utf-8"))
    strips = (Strip(**strip | {"programs": tuple(map(tuple, strip["programs"]))}) for strip in values["strips"])
    singer = values["singer"]
    return Plan(
        **values
        | {
            "excerpts": tuple(Excerpt(**excerpt) for excerpt in values["excerpts"]),
            "strips": tuple(strips),
            "singer": SingerPlan(**singer) if singer else None,
        }
    )
