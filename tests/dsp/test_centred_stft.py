"""Frames centred on the hops: the same numbers as torch's, and a way back."""

import numpy as np
import pytest

from engine_fakes import noise, peak_error, snr
from unbraid.dsp.centred_stft import centred_istft, centred_stft

SIZES = [(64, 16), (64, 13), (2048, 441), (512, 256)]


@pytest.mark.parametrize(("frame", "hop"), SIZES)
def test_a_signal_comes_back(frame: int, hop: int) -> None:
    x = noise(2, 9 * frame // hop * hop)
    spectrum = centred_stft(x, frame, hop)
    assert (spectrum.shape, spectrum.dtype) == ((2, x.shape[1] // hop + 1, frame // 2 + 1), np.complex64)
    back = centred_istft(spectrum, frame, hop)
    assert back.shape == x.shape
    assert snr(x, back) > 120


@pytest.mark.parametrize(("frame", "hop"), SIZES)
def test_torch_has_the_same(frame: int, hop: int) -> None:
    torch = pytest.importorskip("torch")
    x = noise(2, 9 * frame // hop * hop)
    window, masks = torch.hann_window(frame), np.random.default_rng(1)
    theirs = torch.stft(torch.from_numpy(x), frame, hop, window=window, return_complex=True)
    ours = centred_stft(x, frame, hop)
    assert peak_error(theirs.numpy().swapaxes(-1, -2), ours) < 1e-6
    gains = masks.normal(size=(ours.shape[-2], ours.shape[-1])).astype(np.float32)  # a spectrum of no signal
    waves = torch.istft(theirs * torch.from_numpy(gains.T), frame, hop, window=window).numpy()
    assert peak_error(waves, centred_istft(ours * gains, frame, hop)) < 1e-6


def test_a_signal_too_short_to_be_mirrored() -> None:
    assert centred_stft(noise(1, 33), 64, 16).shape == (1, 3, 33)
    with pytest.raises(ValueError, match="a signal of 32 samples cannot be mirrored by 32"):
        centred_stft(noise(1, 32), 64, 16)
