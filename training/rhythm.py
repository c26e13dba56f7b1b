"""Fit the weights of beats and chords on rendered songs, and score beats, key and chords.

    python training/rhythm.py render --songs SONGS --midi MIDI --soundfont A.sf2 --soundfont B.sf2 --voices VOICES
    python training/rhythm.py fit --songs SONGS          # on train -> src/unbraid/assets/rhythm.safetensors
    python training/rhythm.py score --songs SONGS --split dev

Beats: in passages of ten seconds of each song, the true beats compete with others: of half, double and other tempi, off
the beat, and with bars that begin elsewhere. The weights make the true ones likely among them (a softmax over the mean
evidence). Chords: a multinomial logistic regression that shares its templates over the twelve roots. Both are fitted on
stems as they were rendered and as they were separated, once more on mixtures, and scored by mir_eval on separated stems
and on mixtures.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import mir_eval
import numpy as np
import safetensors.numpy
from rhythm_songs import Song, render, songs
from scipy.optimize import minimize

from unbraid.corpora.rendering.stock import Material
from unbraid.dsp.onsets import FRAMES_PER_SECOND
from unbraid.tasks.analysis.beat_path import KINDS, METRES, PARTS, PERIODS, PLACES, SPAN_FRAMES, best_path
from unbraid.tasks.analysis.beats import beats_of, evidence_of
from unbraid.tasks.analysis.chords import Chords, beat_chroma, chords_of, turned
from unbraid.tasks.analysis.key import PITCH_CLASSES, key_of
from unbraid.tasks.analysis.music_features import MusicFeatures
from unbraid.tasks.analysis.weights import MIXTURE, PLACE, SEPARATED, beat_weights, chord_weights

LICENCE = "CC BY-SA 4.0, The unbraid authors"
TEMPI = (1, 2, 1 / 2, 3 / 2, 2 / 3, 4 / 3, 3 / 4, 3, 1 / 3)  # periods of rivals, in those of the truth
SHIFTS = (0, 0.1, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 0.9)  # of rivals at the true tempo, in beats
FIRSTS = (0, METRES[0])  # places of downbeats
RIDGE_SHARED, RIDGE_PLACES, RIDGE_TEMPO, RIDGE_CHORDS = 0.02, 0.05, 0.01, 3.0
SIDES = {SEPARATED: ("rendered", "separated"), MIXTURE: ("mixture",)}  # weights: the features that they are fitted on

Array = np.ndarray


def passages(song: Song) -> Iterator[tuple[float, float, float, int]]:
    """(start, end, period, beats in a bar) of passages of whole bars of one metre, in frames."""
    beats = song.truth.beats * FRAMES_PER_SECOND
    firsts = np.searchsorted(song.truth.beats, song.truth.downbeats - 1e-3)
    lengths = np.diff(firsts)
    bar = 0
    while bar < len(lengths):
        end = bar
        start_frame = beats[firsts[bar]]
        while end < len(lengths) and lengths[end] == lengths[bar] and beats[firsts[end]] - start_frame < SPAN_FRAMES:
            end += 1
        metre = {2: 4, 6: 3, 8: 4}.get(int(lengths[bar]), int(lengths[bar]))
        period = (beats[firsts[end]] - start_frame) / (firsts[end] - firsts[bar])
        if metre in METRES and beats[firsts[end]] - start_frame > 0.6 * SPAN_FRAMES and _possible(period):
            yield start_frame, beats[firsts[end]], period, metre
        bar = max(end, bar + 1)


def _possible(period: float) -> bool:
    return PERIODS[0] - 1 <= period <= PERIODS[-1] + 1


def rivals(evidence: Array, passage: tuple[float, float, float, int]) -> Array:
    """The summed evidence (n, size) of the true beats, which come first, and of rivals."""
    start, end, period, metre = passage
    found = [_summed(evidence, start, end, period, metre, 0)]
    for factor in TEMPI:
        shifts = SHIFTS if factor == 1 else np.arange(0, factor - 0.1, 0.5) if factor > 1 else (0, 0.25, 0.5)
        for shift in shifts if _possible(period * factor) else ():
            for top in METRES:
                for first in range(top):
                    if (factor, shift, top, first) != (1, 0, metre, 0):
                        found.append(_summed(evidence, start + shift * period, end, period * factor, top, first))
    return np.array(found, np.float32)


def _summed(evidence: Array, start: float, end: float, period: float, metre: int, first: int) -> Array:
    """Evidence of beats, for all places and for each, as the path weighs it; then of the tempo and of bars of three."""
    beats = np.arange(start, end - 0.6 * period, period)
    seen = np.zeros((len(beats), KINDS, evidence.shape[1]))
    for kind, place in PARTS:
        frames = np.clip(np.round(beats + place * period).astype(int), 0, len(evidence) - 1)
        seen[:, kind] += evidence[frames]
    share = period / (end - start)
    places = (np.arange(len(beats)) + first) % metre + (0 if metre == METRES[0] else METRES[0])
    sums = [seen.sum(0), *(seen[places == place].sum(0) for place in range(PLACES))]
    log = np.log(period / 50)
    return np.concatenate((share * np.ravel(sums), [log, log**2, float(metre != METRES[0])]))


def fit_beats(training: Sequence[Song], sides: Sequence[str]) -> dict[str, Array]:
    """The tensors of `Weights`."""
    choices = [
        rivals(evidence_of(song.features[side]), passage)
        for song in training
        for side in sides
        if side in song.features
        for passage in passages(song)
    ]
    size = (choices[0].shape[1] - 3) // (PLACES + 1)
    ridge = np.r_[np.full(size, RIDGE_SHARED), np.full(PLACES * size, RIDGE_PLACES), np.full(3, RIDGE_TEMPO)]

    def loss(weights: Array) -> tuple[float, Array]:
        value, slope = 0.0, np.zeros(len(weights))
        for rows in choices:
            scores = rows @ weights
            chances = np.exp(scores - scores.max())
            chances /= chances.sum()
            value -= np.log(chances[0] + 1e-12)
            slope += chances @ rows - rows[0]
        return value / len(choices) + ridge @ weights**2 / 2, slope / len(choices) + ridge * weights

    found = minimize(loss, np.zeros(len(ridge)), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    shared, *places = found.x[:-3].reshape(PLACES + 1, KINDS, -1)
    print(f"beats, {' and '.join(sides)}: {len(choices)} passages, loss {found.fun:.3f}", flush=True)
    tensors = {"places": shared + np.array(places), "tempo": found.x[-3:-1], "three": found.x[-1:]}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def fit_chords(training: Sequence[Song], sides: Sequence[str]) -> Array:
    """The templates (2, M · 12 + 1)."""
    seen, labels = [], []
    for song in training:
        edges = np.array([song.truth.chords[0][0], *(end for _, end, _ in song.truth.chords)])
        numbers = np.array([_number(name) for *_, name in song.truth.chords])
        for side in sides:
            if side in song.features:
                heard, _ = beat_chroma(song.features[side], edges)
                seen.append(turned(heard)[numbers >= 0])
                labels.append(numbers[numbers >= 0])
    rows, truth = np.concatenate(seen), np.concatenate(labels)  # (n, 12, M · 12), (n,)
    size = rows.shape[2] + 1

    def loss(flat: Array) -> tuple[float, Array]:
        templates = flat.reshape(2, size)
        scores = np.concatenate([rows @ template[:-1] + template[-1] for template in templates], 1)
        chances = np.exp(scores - scores.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        value = -np.log(chances[np.arange(len(truth)), truth] + 1e-12).sum()
        chances[np.arange(len(truth)), truth] -= 1
        slope = [np.append(np.einsum("nr,nrd->d", half, rows), half.sum()) for half in np.split(chances, 2, axis=1)]
        ridge = RIDGE_CHORDS * np.c_[templates[:, :-1], np.zeros(2)]
        return value + (ridge * templates).sum() / 2, (np.array(slope) + ridge).ravel()

    found = minimize(loss, np.zeros(2 * size), jac=True, method="L-BFGS-B")
    print(f"chords, {' and '.join(sides)}: {len(truth)} beats, loss {found.fun / len(truth):.3f}", flush=True)
    return found.x.reshape(2, size).astype(np.float32)


def _number(name: str) -> int:
    root, _, quality = name.partition(":")
    return PITCH_CLASSES.index(root) + 12 * (quality == "min") if quality else -1


def score_beats(truth: Array, found: Array) -> float:
    """F-measure with 70 ms of tolerance, without the first five seconds, as mir_eval and MIREX have it."""
    trimmed = mir_eval.beat.trim_beats
    return float(mir_eval.beat.f_measure(trimmed(truth), trimmed(found)))


def score_chords(truth: Sequence[tuple[float, float, str]], found: Chords) -> tuple[float, float]:
    """The share of time with the right triad (majmin), and the time that is scored."""
    spans, names = _labelled(truth)
    given, labels = _labelled([(chord.start, chord.end, chord.name) for chord in found])
    given, labels = mir_eval.util.adjust_intervals(given, labels, spans.min(), spans.max(), "N", "N")
    together, right, heard = mir_eval.util.merge_labeled_intervals(spans, names, given, labels)
    lengths, hits = mir_eval.util.intervals_to_durations(together), mir_eval.chord.majmin(right, heard)
    return float(mir_eval.chord.weighted_accuracy(hits, lengths)), float(lengths[hits >= 0].sum())


def _labelled(chords: Sequence[tuple[float, float, str]]) -> tuple[Array, list[str]]:
    return np.array([(start, end) for start, end, _ in chords]).reshape(-1, 2), [name for *_, name in chords]


def scores(song: Song, features: MusicFeatures, kind: str) -> dict[str, float]:
    """The scores of a song."""
    weights = beat_weights(kind)
    beats = beats_of(features, weights)
    path, _ = best_path(evidence_of(features), weights)
    downbeats = np.array([beat.frame / FRAMES_PER_SECOND for beat in path if beat.place in FIRSTS])
    chords = chords_of(features, beats.times, chord_weights(kind))
    majmin, seconds = score_chords(song.truth.chords, chords) if len(chords) else (0.0, 0.0)
    wanted = 60 / float(np.median(np.diff(song.truth.beats)))
    return {
        "beats": score_beats(song.truth.beats, beats.times),
        "downbeats": score_beats(song.truth.downbeats, downbeats),
        "tempo": float(beats.bpm is not None and abs(beats.bpm / wanted - 1) < 0.04),
        "tempo or octave": float(
            beats.bpm is not None and any(abs(beats.bpm * f / wanted - 1) < 0.04 for f in (1, 2, 0.5, 3, 1 / 3))
        ),
        "key": mir_eval.key.weighted_score(song.truth.key, key_of(features).name or "C other"),
        "chords": majmin,
        "seconds of chords": seconds,
    }


def report(some: Sequence[Song]) -> None:
    """Print the scores of each song, and their means."""
    for side, kind in (("separated", SEPARATED), ("rendered", SEPARATED), ("mixture", MIXTURE)):
        rows = {song.name: scores(song, song.features[side], kind) for song in some if side in song.features}
        if not rows:
            continue
        print(f"\n{side:18}", *next(iter(rows.values())), sep="  ")
        for name, row in rows.items():
            print(f"{name:18}", *(f"{value:{len(key)}.2f}" for key, value in row.items()), sep="  ")
        means = {key: np.mean([row[key] for row in rows.values()]) for key in next(iter(rows.values()))}
        weights = np.array([row["seconds of chords"] for row in rows.values()])
        means["chords"] = np.average([row["chords"] for row in rows.values()], weights=weights)
        print(
            f"{'mean of ' + str(len(rows)):18}", *(f"{value:{len(key)}.2f}" for key, value in means.items()), sep="  "
        )


def fit(training: Sequence[Song]) -> None:
    """Fit all weights, and write them into the package."""
    tensors = {}
    for kind, sides in SIDES.items():
        tensors |= {f"{kind}.beats.{name}": tensor for name, tensor in fit_beats(training, sides).items()}
        tensors[f"{kind}.chords"] = fit_chords(training, sides)
    safetensors.numpy.save_file(tensors, PLACE, {"licence": LICENCE, "made by": "training/rhythm.py"})


def main() -> None:
    """Read the command line, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("render", "fit", "score"))
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "dev", "test"), default="dev")
    parser.add_argument("--midi", type=Path, action="append", default=[])
    parser.add_argument("--soundfont", type=Path, action="append", default=[])
    parser.add_argument("--voices", type=Path, action="append", default=[])
    given = parser.parse_args()
    steps: dict[str, Callable[[], None]] = {
        "fit": lambda: fit(list(songs(given.songs, "train"))),
        "score": lambda: report(list(songs(given.songs, given.split))),
        "render": lambda: [
            render(Material(tuple(given.midi), tuple(given.soundfont), (), tuple(given.voices)), split, given.songs)
            for split in ("train", "dev", "test")
        ].clear(),
    }
    steps[given.step]()


if __name__ == "__main__":
    main()
