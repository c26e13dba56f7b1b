"""A shelf is as good as the files, mono or stereo, whatever they are stored as and however little room it has."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from unbraid.corpora import Clip, read_clip
from unbraid.corpora.songs import read_stereo
from unbraid.errors import AudioError
from unbraid.training.data.clip_cache import Shelf

RATE = 8000


def test_a_shelf_reads_what_is_there(speakers) -> None:
    clips = [clip for own in speakers.values() for clip in own]
    for room_bytes in (0, 100_000, 1 << 20):
        shelf = Shelf(RATE, room_bytes=room_bytes)
        for clip in clips * 2:
            whole = read_clip(clip, RATE)
            assert shelf.samples(clip) == len(whole)
            np.testing.assert_allclose(shelf.piece(clip, 700, 5000), whole[None, 700:5700], atol=1e-4)
        assert shelf._bytes == sum(audio.nbytes for audio in shelf._kept.values()) <= room_bytes
        assert all(clip.path.suffix == ".ogg" for clip in shelf._kept)
    assert len(shelf._kept) == 5


def test_a_shelf_forgets_what_was_longest_unused(speakers) -> None:
    clips = [own[1] for own in speakers.values()]  # 48 kB each
    shelf = Shelf(RATE, room_bytes=100_000)
    for i in (0, 1, 0, 2):
        shelf.piece(clips[i], 0, 10)
    assert list(shelf._kept) == [clips[0], clips[2]]


@pytest.fixture
def recordings(tmp_path: Path) -> list[Clip]:
    """3 s of two tones: stereo, mono, and stereo at another rate; each as wav and as Vorbis."""
    found = []
    for name, channels, rate in (("stereo", 2, RATE), ("mono", 1, RATE), ("fast", 2, 11025)):
        time = np.arange(3 * rate) / rate
        audio = 0.3 * np.sin(2 * np.pi * np.outer(time * (1 + time / 9), [300, 700][:channels]))  # (T, C)
        for suffix in ("wav", "ogg"):
            soundfile.write(tmp_path / f"{name}.{suffix}", audio.astype(np.float32), rate)
            found.append(Clip(tmp_path / f"{name}.{suffix}"))
    return found


@pytest.mark.parametrize("room_bytes", [0, 1 << 20])
def test_a_stereo_shelf_reads_what_is_there(recordings: list[Clip], room_bytes: int) -> None:
    shelf = Shelf(RATE, channels=2, room_bytes=room_bytes)
    for clip in recordings * 2:
        whole = read_stereo((clip,), RATE)
        assert shelf.samples(clip) == whole.shape[1] == 3 * RATE
        for start, samples in ((0, 900), (7001, 5000), (23900, 500), (24000, 10), (30000, 10)):
            piece = shelf.piece(clip, start, samples)
            assert piece.dtype == np.float32
            np.testing.assert_allclose(piece, whole[:, start : start + samples], atol=1e-4)
    kept = {clip.path.name: audio.shape for clip, audio in shelf._kept.items()}
    assert kept == (
        {} if room_bytes == 0 else {"stereo.ogg": (2, 24000), "mono.ogg": (1, 24000), "fast.ogg": (2, 24000)}
    )


def test_a_mono_shelf_refuses_stereo(recordings: list[Clip]) -> None:
    with pytest.raises(AudioError, match="has 2 channels; the recordings of a corpus must be mono"):
        Shelf(RATE).samples(recordings[0])


def test_what_is_louder_than_full_scale_is_cut_off_not_wrapped(tmp_path: Path) -> None:
    time = np.arange(RATE) / RATE
    soundfile.write(tmp_path / "loud.ogg", 0.99 * np.sign(np.sin(2 * np.pi * 50 * time)), RATE)
    (decoded,) = read_clip(Clip(tmp_path / "loud.ogg"), RATE)[None]
    assert np.abs(decoded).max() > 1.01  # a square wave rings
    piece = Shelf(RATE).piece(Clip(tmp_path / "loud.ogg"), 0, RATE)
    np.testing.assert_allclose(piece[0], decoded.clip(-1, 1), atol=1e-4)
