"""Fixed mixtures over a folder of speakers: listed in a CSV, or else drawn with a fixed seed.

A row of `{split}_mix{N}.csv` has id, seconds, and for each source j path_j, start_j (s) and gain_db_j. Source j is
file[start : start + seconds] at an RMS of 0.05 · 10^(gain / 20); the mixture is the sum of the sources.
"""

import warnings
import zlib
from pathlib import Path

import numpy as np

from unbraid.corpora.levels import REFERENCE_RMS
from unbraid.corpora.manifest import read_rows
from unbraid.corpora.mixtures import Clip, Mixture, read_head
from unbraid.corpora.set_aside import SetAside
from unbraid.errors import MOST_QUOTED, AudioError, UsageError, quoted

DRAWN = 200  # mixtures
LONGEST_SECONDS, SHORTEST_SECONDS = 5.0, 1.0  # a drawn mixture is as long as its shortest voice, within these
SPREAD_DB = 2.5  # gains lie within ± this
TRIES = 20  # to find recordings that are long enough
LONGEST_FILE = 1e7  # seconds
LARGEST_GAIN_DB = 200.0
_STEP = 1000  # drawn places are whole milliseconds


def listed(path: Path, sources: int, root: Path | None = None) -> list[Mixture]:
    """The mixtures of a CSV; the recordings lie under `root`, or beside it.

    Raises:
        UsageError: a row has an invalid number.
    """
    root = path.parent if root is None else root
    places = [(f"path_{j}", f"start_{j}", f"gain_db_{j}") for j in range(1, sources + 1)]
    found = []
    for number, row in enumerate(read_rows(path, ("id", "seconds", *sum(places, ()))), 2):
        try:
            seconds = _within(row["seconds"], 0, LONGEST_FILE)
            clips = [
                Clip(
                    root / row[file],
                    _within(row[start], 0, LONGEST_FILE),
                    seconds,
                    _rms(_within(row[gain], -LARGEST_GAIN_DB, LARGEST_GAIN_DB)),
                )
                for file, start, gain in places
            ]
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}. Seconds, starts and gains are numbers.") from None
        found.append(Mixture(row["id"], tuple(clips)))
    return found


def drawn(speakers: dict[str, list[Clip]], split: str, sources: int) -> list[Mixture]:
    """Mixtures of different speakers, determined by the recordings, the split and the number of sources alone.

    Raises:
        UsageError: the split has too few speakers.
    """
    if len(speakers) < sources:
        raise UsageError(
            f"The split {split} has {len(speakers)} speakers; a mixture of {sources} voices needs as many."
        )
    random = np.random.default_rng(zlib.crc32(f"{split}_mix{sources}".encode()))
    recordings = [speakers[name] for name in sorted(speakers)]
    known: dict[Clip, int] = {}
    return [_draw(recordings, known, f"mix{sources}_{number:04d}", sources, random) for number in range(DRAWN)]


def _draw(
    recordings: list[list[Clip]], known: dict[Clip, int], name: str, sources: int, random: np.random.Generator
) -> Mixture:
    """A mixture of some recordings; `known` has the lengths of those drawn before, in milliseconds."""
    for _ in range(TRIES):
        who = random.choice(len(recordings), sources, replace=False)
        clips = [recordings[i][int(random.integers(len(recordings[i])))] for i in who]
        for clip in clips:
            if clip not in known:
                known[clip] = _milliseconds(clip)
        lengths = [known[clip] for clip in clips]
        length = min(round(LONGEST_SECONDS * _STEP), *lengths)
        if length >= SHORTEST_SECONDS * _STEP:
            return Mixture(
                name,
                tuple(
                    Clip(
                        clip.path,
                        int(random.integers(own - length + 1)) / _STEP,
                        length / _STEP,
                        _rms(random.uniform(-SPREAD_DB, SPREAD_DB)),
                    )
                    for clip, own in zip(clips, lengths, strict=True)
                ),
            )
    raise UsageError(
        f"Hardly any recording lasts {SHORTEST_SECONDS:g} s, which a mixture to score must; join short ones."
    )


def _within(text: str, least: float, most: float) -> float:
    """A number from a table, finite and within its range."""
    if not least <= (value := float(text[:MOST_QUOTED])) <= most:
        raise ValueError(f"{quoted(text)} does not lie between {least:g} and {most:g}")
    return value


def _milliseconds(clip: Clip) -> int:
    """The length of a recording in milliseconds; an unreadable one is set aside as too short."""
    try:
        return read_head(clip, _STEP).samples - 1
    except AudioError as error:
        warnings.warn(SetAside(f"{error} It is set aside, and is in no mixture."), stacklevel=2)
        return 0


def _rms(gain_db: float) -> float:
    return float(REFERENCE_RMS * 10 ** (gain_db / 20))
