"""Clips are pieces of files at any rate; mixtures are their sums, and nothing that does not fit is let through."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_trees import voices, write

from unbraid.corpora import Clip, Mixture, read_clip, read_mixture
from unbraid.corpora.levels import scaled_to
from unbraid.corpora.mixtures import read_head
from unbraid.errors import AudioError


@pytest.fixture
def noise(tmp_path: Path) -> tuple[Path, np.ndarray]:
    audio = voices("noise", 1, 4000)[0]
    write(tmp_path / "noise.wav", audio)
    return tmp_path / "noise.wav", audio


def test_a_clip_is_the_piece_that_was_asked_for(noise) -> None:
    path, audio = noise
    np.testing.assert_array_equal(read_clip(Clip(path), 8000), audio)
    np.testing.assert_array_equal(read_clip(Clip(path, 0.1), 8000), audio[800:])
    np.testing.assert_array_equal(read_clip(Clip(path, 0.1, 0.2), 8000), audio[800:2400])
    np.testing.assert_array_equal(read_clip(Clip(path, 0.1).part(0.05, 0.1), 8000), audio[1200:2000])


def test_a_level_is_the_piece_s_own(noise) -> None:
    path, audio = noise
    found = read_clip(Clip(path, 0.1, 0.2, rms=0.05), 8000)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.05, rel=1e-6)
    np.testing.assert_allclose(found / found[0], audio[800:2400] / audio[800], rtol=1e-3)
    assert not scaled_to(np.zeros(9, np.float32), 0.05).any()


@pytest.mark.parametrize("rate", [16000, 11025, 44100])
def test_another_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    time = np.arange(rate) / rate
    write(tmp_path / "tone.wav", np.sin(2 * np.pi * 500 * time).astype(np.float32), rate)
    found = read_clip(Clip(tmp_path / "tone.wav", 0.25, 0.5), 8000)
    assert found.shape == (4000,)
    expected = np.sin(2 * np.pi * 500 * (np.arange(4000) / 8000 + round(0.25 * rate) / rate))
    np.testing.assert_allclose(found[400:-400], expected[400:-400], atol=1e-3)
    assert read_head(Clip(tmp_path / "tone.wav"), 8000).samples == 8000


@pytest.mark.parametrize("seconds", [0.10001, 0.20006, 0.25])
def test_a_piece_at_a_higher_rate_has_its_length(noise, seconds: float) -> None:
    """A file of 8 kHz has no sample where a piece at 44.1 kHz begins and ends."""
    path, _ = noise
    assert read_clip(Clip(path, 0.10003, seconds), 44100).shape == (round(seconds * 44100),)
    with pytest.raises(AudioError, match="Get the whole file"):
        read_clip(Clip(path, 0.10003, 0.401), 44100)


def test_what_is_known_without_decoding(noise, tmp_path: Path) -> None:
    path, audio = noise
    soundfile.write(tmp_path / "noise.ogg", audio, 8000)
    assert read_head(Clip(path), 8000).samples == 4000
    assert read_head(Clip(path, 0.1), 16000).samples == 6400
    assert not read_head(Clip(path), 8000).lossy
    assert read_head(Clip(tmp_path / "noise.ogg"), 8000).lossy


def test_a_mixture_is_its_file_or_a_sum(tmp_path: Path) -> None:
    rows = voices("rows", 4, 300)
    clips = []
    for i, row in enumerate(rows):
        write(tmp_path / f"{i}.wav", row)
        clips.append(Clip(tmp_path / f"{i}.wav"))
    sources = tuple(clips[:2])
    for mixture, expected in (
        (Mixture("sum", sources), rows[0] + rows[1]),
        (Mixture("with noise", sources, noise=clips[2]), rows[0] + rows[1] + rows[2]),
        (Mixture("recorded", sources, clips[3], clips[2]), rows[3]),
    ):
        heard, voices_ = read_mixture(mixture, 8000)
        np.testing.assert_allclose(heard, expected, atol=1e-7)
        np.testing.assert_array_equal(voices_, rows[:2])
        part, _ = read_mixture(mixture.part(0.01, 0.02), 8000)
        np.testing.assert_allclose(part, expected[80:240], atol=1e-7)


def check(error: str, call) -> None:
    with pytest.raises(AudioError) as caught:
        call()
    assert str(caught.value) == error


def test_refusals(noise, tmp_path: Path) -> None:
    path, audio = noise
    write(tmp_path / "stereo.wav", np.stack([audio, audio]))
    (tmp_path / "text.wav").write_text("not audio")
    write(tmp_path / "short.wav", audio[:-8])
    check(
        f"{tmp_path}/stereo.wav has 2 channels; the recordings of a corpus must be mono. Convert it, or take it out.",
        lambda: read_clip(Clip(tmp_path / "stereo.wav"), 8000),
    )
    check(
        f"{tmp_path}/no.wav does not exist. Name an audio file that does.",
        lambda: read_clip(Clip(tmp_path / "no.wav"), 8000),
    )
    with pytest.raises(AudioError, match=r"text\.wav is not audio that can be read"):
        read_clip(Clip(tmp_path / "text.wav"), 8000)
    check(
        f"{path} has 0.400 s from 0.100 s on, where 0.500 s are asked for. Get the whole file, or ask for less.",
        lambda: read_clip(Clip(path, 0.1, 0.5), 8000),
    )
    check(
        "The files of mixture a differ in length (0.499 s, 0.500 s). Make the corpus anew, or take it out.",
        lambda: read_mixture(Mixture("a", (Clip(path), Clip(tmp_path / "short.wav"))), 8000),
    )
