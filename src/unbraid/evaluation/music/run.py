"""Run a model over songs and score its stems, in constant memory.

A song is separated as by `unbraid separate`, block by block, at the model's rate: its mixture, or the sum of its parts,
is written to a temporary file first (8 bytes a sample). For BSS Eval 4, which needs a song twice, stems and references
go to the same folder (16 bytes a sample and stem). In memory are ten seconds of everything at a time. Time is that of
the separation, wall clock and CPU, reading the mixture included, scoring and loading not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from unbraid.audio import Reader, choose_format, open_writer
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.songs import Song, read_stereo, song_seconds, stems_of
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.overlap import regrouped
from unbraid.errors import AudioError
from unbraid.evaluation.bss4 import NAMES, bss_eval_4
from unbraid.evaluation.music.scoring import StemExcerpt, StemScore, StemSums
from unbraid.evaluation.run import Evaluation, TimedResult, Worst, timed
from unbraid.files.workdir import temporary_folder
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.spool import Spool, spooled_stems

T = TypeVar("T")
PIECE_SECONDS = 10  # scored at a time, and of the excerpt of a worst case


@dataclass(frozen=True)
class SongResult(TimedResult):
    """The scores of one song."""

    stems: tuple[StemScore, ...]  # all of the model's
    bss_frames: tuple[int, int] = (0, 0)  # scored by BSS Eval, and in all


@dataclass(frozen=True)
class StemCase:
    """A stem of a song, and the piece of it that came out worst."""

    song: str
    score: StemScore
    excerpt: StemExcerpt


@dataclass
class MusicEvaluation(Evaluation[SongResult]):
    """The scores of songs, with the sounds of the worst stems."""

    with_bss: bool
    worst: Worst[StemCase] = field(default_factory=Worst)  # by improvement of uSDR

    def add(self, scored: "tuple[SongResult, list[StemCase]]") -> None:
        """Add the next song."""
        result, cases = scored
        self.results.append(result)
        for case in cases:
            self.worst.add(case.score.improvement, case)


@dataclass
class _Clock:
    """Time spent in an iterator."""

    wall: float = 0.0
    cpu: float = 0.0

    def timed(self, items: Iterator[T]) -> Iterator[T]:
        while True:
            item, wall, cpu = timed(lambda: next(items, None))
            self.wall += wall
            self.cpu += cpu
            if item is None:
                return
            yield item


def separate_and_score_song(
    separator: Separator, song: Song, with_bss: bool = False
) -> tuple[SongResult, list[StemCase]]:
    """Separate one song at the model's rate, as a user would, and score each stem that it has.

    Raises:
        AudioError: a recording cannot be read, or the recordings of a song differ in length.
    """
    rate, clock = separator.spec.sample_rate, _Clock()
    references = stems_of(song, separator.spec.stems)
    seconds = song_seconds(song)
    samples = round(seconds * rate)
    if not samples:
        raise AudioError(f"{song.name} has not a single sample at {rate} Hz; take it out.")
    sums = {stem: StemSums(stem) for stem in references}
    with temporary_folder() as folder, spooled_stems() as spool:
        path = folder / "mixture.wav"
        clips = (song.mixture,) if song.mixture else tuple(clip for part in song.parts.values() for clip in part)
        _write_mixture(path, clips, rate, samples)
        for piece in _pieces(separator, path, references, clock):
            for stem, excerpt in piece.items():
                sums[stem].add(excerpt)
            if with_bss and piece:
                excerpts = piece.values()
                spool.write(np.stack([*(each.reference for each in excerpts), *(each.estimate for each in excerpts)]))
        bss, frames = _bss(spool, list(sums.values()), rate) if with_bss else ({}, (0, 0))
    scores = tuple(
        sums[stem].score(bss.get(stem, {})) if stem in sums else StemScore(stem, "absent")
        for stem in separator.spec.stems
    )
    result = SongResult(song.name, samples / rate, clock.wall, clock.cpu, scores, frames)
    found = ((score, sums[score.stem].excerpt) for score in scores if score.state == "scored")
    return result, [StemCase(song.name, score, excerpt) for score, excerpt in found if excerpt]


def _write_mixture(path: Path, clips: Sequence[Clip], rate: int, samples: int) -> None:
    """The sum of recordings as a stereo file of floats, ten seconds at a time."""
    with open_writer(path, rate, 2, choose_format("wav", subtype="32f"), frames=samples) as writer:
        for start in range(0, samples, size := PIECE_SECONDS * rate):
            writer.write(read_stereo(clips, rate, start / rate, min(size, samples - start) / rate))


def _pieces(
    separator: Separator, mixture: Path, references: dict[str, tuple[Clip, ...]], clock: _Clock
) -> Iterator[dict[str, StemExcerpt]]:
    """Each stem that the song has, ten seconds at a time."""
    rate = separator.spec.sample_rate
    size = PIECE_SECONDS * rate
    blocks = (np.stack([block[stem] for stem in separator.spec.stems]) for block in separator.blocks(mixture))
    stems = clock.timed(regrouped(blocks, size))  # (S, C, n)
    with Reader(mixture) as reader:
        for number, (whole, parts) in enumerate(zip(reader.blocks(size), stems, strict=True)):
            estimates = dict(zip(separator.spec.stems, parts, strict=True))
            start, seconds = float(number * PIECE_SECONDS), whole.shape[1] / rate
            yield {
                stem: StemExcerpt(start, whole, read_stereo(clips, rate, start, seconds), estimates[stem])
                for stem, clips in references.items()
            }


def _bss(spool: Spool, sums: Sequence[StemSums], rate: int) -> tuple[dict[str, dict[str, float]], tuple[int, int]]:
    """Medians over frames of a second, by stem and name, for the stems that sound; frames scored and in all."""
    heard = [index for index, stem in enumerate(sums) if not stem.is_silent]
    if not heard:
        return {}, (0, 0)

    def frames() -> Iterator[tuple[FloatArray, FloatArray]]:
        for references, estimates in (np.split(block, 2) for block in spool.blocks(rate)):  # (S, C, n) each
            yield references[heard], estimates[heard]

    scores = bss_eval_4(frames)  # (4, S, N)
    known = np.isfinite(scores)
    medians = np.full(known.shape[:2], np.nan)  # (4, S)
    some = known.any(-1)
    medians[some] = np.nanmedian(scores[some], axis=-1)
    values = [dict(zip(NAMES, map(float, column), strict=True)) for column in medians.T]
    by_stem = {sums[index].stem: found for index, found in zip(heard, values, strict=True)}
    return by_stem, (int(known.any((0, 1)).sum()), known.shape[-1])
