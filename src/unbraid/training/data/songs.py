"""Torch datasets of songs. An item is a pure function of (seed, position): that makes resuming exact, whatever the
number of workers and ranks, and needs no state to be saved but the position.

A share of the crops are one song's stems as they were played, the others stems of different songs. A mixture is the
sum of its stems, so it is not part of an item.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from unbraid.corpora.levels import Array
from unbraid.corpora.songs import Song, read_stereo, song_seconds, stems_of
from unbraid.errors import AudioError, UsageError
from unbraid.training.data.aside import Aside, UsableItems
from unbraid.training.data.clip_cache import Shelf
from unbraid.training.data.remixing import (
    PAUSE_RMS,
    Playing,
    Remixing,
    at_unit_power,
    draw_playing,
    played,
    remixed,
    rms,
)

TRIES = 6  # to find a crop that is not nearly silent
MOST_TRIES = 100  # to find a song that can be read
SHELF_BYTES = 1 << 30  # 100 minutes of stereo at 44.1 kHz, for every worker
LEAD = "vocals"  # the stem that a song without it borrows from another one


class _Stems:
    """The clips of a song, by the stems of a model."""

    def __init__(self, song: Song, stems: Sequence[str]):
        self._song, self.clips = song, stems_of(song, stems)

    @cached_property
    def seconds(self) -> float:
        return song_seconds(self._song)


class _Pool:
    """Songs of several corpora to draw from: a corpus by its share, then any of its songs; false if there are none."""

    def __init__(self, corpora: Iterable[list[_Stems]], shares: Sequence[float]):
        some = [(songs, share) for songs, share in zip(corpora, shares, strict=True) if songs and share > 0]
        self._corpora = [songs for songs, _ in some]
        self._shares = np.array([share for _, share in some])

    def __bool__(self) -> bool:
        return bool(self._corpora)

    def draw(self, random: np.random.Generator) -> _Stems:
        songs = self._corpora[int(random.choice(len(self._corpora), p=self._shares / self._shares.sum()))]
        return songs[int(random.integers(len(songs)))]


class SongCrops(Dataset[Tensor]):
    """Crops of stems (S, 2, T), drawn anew at every position; there is no last one.

    A stem comes from a corpus as often as the corpus's share says, among the corpora that have the stem, and there from
    any song as often as from any other. Songs with two stems or more are also heard as they were played. wav and flac
    are read piece by piece; of other formats, as many songs are kept decoded as `shelf_bytes` hold.

    Raises:
        UsageError: the shares are not possible, or no song has one of the stems.
    """

    def __init__(
        self,
        corpora: Sequence[Sequence[Song]],
        shares: Sequence[float],
        stems: Sequence[str],
        remixing: Remixing,
        *,
        sample_rate: int,
        seed: int,
        shelf_bytes: int = SHELF_BYTES,
    ):
        _check_shares(shares, len(corpora))
        self._aside = Aside()
        songs = [
            self._aside.usable([_Stems(song, stems) for song in corpus], lambda song: song.seconds)
            for corpus in corpora
        ]
        self._having = {stem: _Pool(([s for s in some if stem in s.clips] for some in songs), shares) for stem in stems}
        self._whole = _Pool(([s for s in some if len(s.clips) > 1] for some in songs), shares)
        for stem, pool in self._having.items():
            if not pool:
                raise UsageError(
                    f"No song has {stem}. Take it out of the stems, or add a folder of songs that have it, with a "
                    f"share above 0.{self._aside.told()}"
                )
        self._stems, self._remixing = tuple(stems), remixing
        self._sample_rate, self._seed = sample_rate, seed
        self._samples = remixing.crop_samples(sample_rate)
        self._shelf = Shelf(sample_rate, channels=2, room_bytes=shelf_bytes)

    def __getitem__(self, position: int) -> Tensor:
        random = np.random.default_rng((self._seed, position))
        if self._whole and random.random() >= self._remixing.remix_probability:
            stems = self._draw_song(random)
        else:
            stems = np.stack([self._draw_stem(stem, random) for stem in self._stems])  # (S, 2, T)
        return torch.from_numpy(remixed(stems, self._remixing, self._sample_rate, random))

    def _draw_stem(self, stem: str, random: np.random.Generator) -> Array:
        """(2, T): a stem of any song, at a power of about 1."""
        playing = draw_playing(self._remixing, random, vocals=stem == LEAD)
        _, audio = self._draw(self._having[stem], (stem,), playing, random)
        return at_unit_power(audio[0])

    def _draw_song(self, random: np.random.Generator) -> Array:
        """(S, 2, T): one song's stems as they were played; vocals of any song, about as loud, where it has none."""
        song, stems = self._draw(self._whole, self._stems, draw_playing(self._remixing, random), random)
        if LEAD in self._stems and LEAD not in song.clips:
            stems[self._stems.index(LEAD)] = self._draw_stem(LEAD, random) * np.float32(rms(stems.sum(0)))
        return stems

    def _draw(
        self, pool: _Pool, stems: Sequence[str], playing: Playing, random: np.random.Generator
    ) -> tuple[_Stems, Array]:
        """A song, and the same piece of some of its stems (S, 2, T); one that is nearly silent is drawn again."""
        needed = playing.samples(self._samples, self._sample_rate)
        found: tuple[_Stems, Array] | None = None
        for attempt in range(1, MOST_TRIES):
            song = pool.draw(random)
            start = int(random.integers(max(0, round(song.seconds * self._sample_rate) - needed) + 1))
            audio = self._aside.attempt(song, lambda: self._read(song, stems, start, needed))  # noqa: B023
            if audio is not None:
                found = song, audio
                if rms(audio.sum(0)) > PAUSE_RMS:
                    break
            if found is not None and attempt >= TRIES:
                break
        if found is None:
            raise AudioError(f"The songs cannot be read.{self._aside.told()}")
        song, audio = found
        crops = [played(stem, playing, self._samples, self._sample_rate) for stem in audio]
        return song, np.stack(crops)

    def _read(self, song: _Stems, stems: Sequence[str], start: int, samples: int) -> Array:
        """(S, 2, samples) as stored; zeros for a stem that the song lacks, and behind its end."""
        audio = np.zeros((len(stems), 2, samples), np.float32)
        for row, stem in zip(audio, stems, strict=True):
            for clip in song.clips.get(stem, ()):
                piece = self._shelf.piece(clip, start, samples)
                row[:, : piece.shape[1]] += piece
        return audio


class SongPieces(UsableItems):
    """The middle of each song, or all of a shorter one, as stems (S, 2, T); zeros for stems that it lacks."""

    def __init__(self, songs: Sequence[Song], stems: Sequence[str], *, sample_rate: int, seconds: float):
        self._stems, self._sample_rate, self._seconds = tuple(stems), sample_rate, seconds
        super().__init__([_Stems(song, stems) for song in songs], f"None of {len(songs)} songs can be read.")

    def _check(self, song: _Stems) -> float:
        return song.seconds

    def _item(self, song: _Stems) -> Tensor:
        seconds = min(self._seconds, song.seconds)
        audio = np.zeros((len(self._stems), 2, round(seconds * self._sample_rate)), np.float32)
        for row, stem in zip(audio, self._stems, strict=True):
            if stem in song.clips:
                row[:] = read_stereo(song.clips[stem], self._sample_rate, (song.seconds - seconds) / 2, seconds)
        return torch.from_numpy(audio)


def _check_shares(shares: Sequence[float], corpora: int) -> None:
    possible = len(shares) == corpora and all(0 <= share < math.inf for share in shares) and sum(shares) > 0
    if not possible:
        raise UsageError(
            f"shares must be one number for each of the {corpora} folders of songs, 0 or more and not all 0; got "
            f"{', '.join(f'{share:g}' for share in shares) or 'none'}."
        )
