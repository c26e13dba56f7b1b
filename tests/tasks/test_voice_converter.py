"""Voice conversion over fake networks: length, level, silence and seams; files and arrays."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from conversion_fakes import BINS, HOP, RATE, SPEC, converter, speaking, talk, tone
from unbraid.errors import AudioError, UsageError
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.tasks.conversion.converter import VoiceConverter
from unbraid.tasks.conversion.parts import FLOOR, Part, silence, stretched, waveforms


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("samples", [1, 777, 16001, 100_003])
def test_rate_length_and_channels_stay(rate: int, samples: int) -> None:
    audio = np.stack([talk(samples / rate, rate)] * 2)
    audio = np.pad(audio, ((0, 0), (0, samples - audio.shape[1])))
    made = converter(1.2)(audio, rate)
    assert made.shape == audio.shape and made.dtype == np.float32
    assert np.array_equal(made[0], made[1]) and np.isfinite(made).all()


def test_each_piece_keeps_its_level_and_its_place() -> None:
    """Loud speech, silence, soft speech: as loud, as silent and as soft, whatever the networks' level."""
    loud, soft, gap = talk(1.5), talk(1.5, level=0.01), np.zeros(3 * RATE, np.float32)
    audio = np.concatenate((loud, gap, soft))
    for level in (-2.0, -0.5):
        made = converter(level=level)(audio[None], RATE)[0]
        energy = [float(np.square(part).sum()) for part in (made[: 2 * RATE], made[-5 * RATE // 2 :])]
        wanted = [float(np.square(part).sum()) for part in (loud, soft)]
        assert np.allclose(energy, wanted, rtol=0.03)
        assert not made[2 * RATE : 7 * RATE // 2].any()


def test_silence_and_steady_noise_become_silence() -> None:
    with converter() as model:
        assert not model(np.zeros((1, 5 * RATE), np.float32), RATE).any()
        hiss = np.random.default_rng(1).normal(0, 0.1, (1, 5 * RATE)).astype(np.float32)
        assert not model(hiss, RATE).any()
        assert model(talk(5.0)[None], RATE).any()


def test_no_peak_above_full_scale() -> None:
    audio = talk(4.0)
    audio[::4000] = 0.99  # so that its level would need peaks above 1
    audio *= 0.99 / np.abs(audio).max()
    square = np.sign(audio) * 0.99
    assert np.abs(converter()(square[None].astype(np.float32), RATE)).max() <= 1.0


def test_there_is_no_seam_between_pieces() -> None:
    """Parts that share a level give what the vocoder makes of the whole spectrogram at once."""
    config = HifiganConfig(BINS, 4, (16, 16), (16, 16), (3,), (1,), padding="zeros", edge_frames=0)
    kernel = np.hanning(4 * HOP).astype(np.float32)

    def vocoder(levels: np.ndarray) -> np.ndarray:
        """A vocoder that smears each frame over its neighbours."""
        wave = tone({"log_mel": levels[None]})["waveform"][0]
        return np.convolve(wave, kernel, "same").astype(np.float32)

    levels = np.random.default_rng(2).normal(-1, 0.2, (90, BINS)).astype(np.float32)
    whole = vocoder(levels)
    level = float(np.sqrt(np.square(whole[: 40 * HOP]).mean()))
    rest = float(np.sqrt(np.square(whole[40 * HOP :]).mean()))
    parts = [Part(levels[:40], level, 1e9), Part(levels[40:], rest, 1e9)]
    made = np.concatenate(list(waveforms(parts, vocoder, config.context_frames, HOP, RATE)))
    assert len(made) == len(whole)
    inner = slice(RATE // 100, -RATE // 100)  # the ends fade
    assert np.abs(made - whole)[inner].max() <= 1e-4 * np.abs(whole).max()


def test_levels_are_stretched_between_their_middles() -> None:
    levels = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert stretched(levels, 4) is levels
    np.testing.assert_allclose(stretched(levels, 8)[:, 0], [0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6])
    np.testing.assert_allclose(stretched(levels, 2)[:, 0], [1, 5])
    np.testing.assert_allclose(stretched(levels[:1], 3), levels[[0, 0, 0]])
    assert (silence(3, 2).levels == FLOOR).all()


def test_a_piece_whose_length_changed_by_much_is_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", talk(1.5), RATE, subtype="FLOAT")
    for times, told in (
        (1.2, None),
        (1.5, "the new voice took 1.5 times as long at 0 s, and was fitted to its place"),
        (9.0, "the new voice found no end at 0 s, and was fitted to its place"),
    ):
        run = converter(times).run(tmp_path / "talk.wav")
        assert sum(block.shape[1] for block in run) == RATE * 3 // 2
        assert run.diagnostics.notice == told


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Pieces are read as they are needed: a block comes long before the end of the file."""
    soundfile.write(tmp_path / "talk.wav", np.tile(talk(2.0), 30), RATE)
    seen: list[float] = []
    run = converter().run(tmp_path / "talk.wav", progress=lambda done, total: seen.append(done))
    next(run)
    assert seen[-1] < 15
    run.close()


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(UsageError, match="conv takes a vector of 3 numbers for its speaker"):
        VoiceConverter.over(speaking(), SPEC, np.ones(4, np.float32), converter()._vocoder)
    with pytest.raises(AudioError):
        converter()(np.full((1, 100), np.nan, np.float32), RATE)
