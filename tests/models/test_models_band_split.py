"""The band-split Transformer: its transform is exact, its size is known, and it does what every separator must do."""

import math

import pytest
import torch

from engine_fakes import BANDS as SMALL
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.band_split.network import BandSplit
from unbraid.models.layers.spectrum import SpectralTransform


def stirred(geometry: BandSplitConfig, seed: int = 0) -> BandSplit:
    """A network none of whose layers is nothing any more."""
    torch.manual_seed(seed)
    model = BandSplit(geometry).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter) / math.sqrt(parameter.shape[-1]))
    return model


def test_the_default_network_has_its_size() -> None:
    assert sum(p.numel() for p in BandSplit(BandSplitConfig()).parameters()) == 2_773_088


@pytest.mark.parametrize("samples", [1, 15, 16, 17, 1001])
def test_the_transform_comes_back_whole_below_its_last_bin(samples: int) -> None:
    """Each frame lacks its bin at half the rate, which is the alternating sum of its samples under the window."""
    transform = SpectralTransform(32)
    tone = torch.cos(2 * math.pi * 3 / 32 * torch.arange(4096.0))[None]  # has hardly anything there
    torch.testing.assert_close(transform.inverse(transform(tone), 4096)[:, 32:-32], tone[:, 32:-32], atol=3e-3, rtol=0)
    audio = torch.randn(2, samples)
    spectra = transform(audio)
    assert spectra.shape == (2, math.ceil(samples / 16) + 1, 32)
    assert transform.inverse(spectra, samples).shape == audio.shape


def test_the_transform_is_the_one_of_the_field() -> None:
    audio = torch.randn(1, 320)
    spectra = SpectralTransform(32)(audio)
    window = torch.hann_window(32).sqrt()
    expected = torch.stft(audio, 32, 16, window=window, center=True, pad_mode="constant", return_complex=True)
    torch.testing.assert_close(spectra[..., :16], expected.real.transpose(1, 2)[..., :16], atol=1e-5, rtol=0)
    torch.testing.assert_close(spectra[..., 16:], expected.imag.transpose(1, 2)[..., :16], atol=1e-5, rtol=0)


@pytest.mark.parametrize("samples", [1, 31, 32, 100, 1001])
def test_every_length_comes_back_whole(samples: int) -> None:
    assert stirred(SMALL)(torch.randn(2, samples)).shape == (2, 3, samples)


def test_the_level_goes_through() -> None:
    model, mixture = stirred(SMALL), torch.randn(1, 500)
    loud = model(mixture)
    torch.testing.assert_close(model(0.01 * mixture), 0.01 * loud, atol=1e-4 * 0.01, rtol=1e-3)


def test_silence_stays_silent_whole_and_in_part() -> None:
    model = stirred(SMALL)
    assert not model(torch.zeros(2, 500)).any()
    mixture = torch.randn(1, 640)
    mixture[:, 320:] = 0
    assert not model(mixture)[..., 320 + 48 :].any()  # a frame and the taps of a filter further on


def test_every_frame_is_seen_from_everywhere() -> None:
    """Attention has no end: the last sample of a second hears of the first one."""
    mixture = torch.randn(1, 8000, requires_grad=True)
    stirred(SMALL)(mixture)[0, 0, -1].backward()
    assert mixture.grad[0, :64].abs().max() > 0


def test_items_of_a_batch_do_not_hear_each_other() -> None:
    model, mixtures = stirred(SMALL), torch.randn(3, 700)
    torch.testing.assert_close(model(mixtures)[1:2], model(mixtures[1:2]), atol=1e-5, rtol=1e-4)


def test_a_new_network_can_be_trained_at_once() -> None:
    """Its layers begin as nothing, and every weight gets a gradient by the second step."""
    torch.manual_seed(0)
    model = BandSplit(SMALL)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(1, 400)).square().mean().backward()
        optimizer.step()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_a_new_network_begins_with_about_half_of_the_mixture() -> None:
    torch.manual_seed(0)
    mixture = torch.cos(2 * math.pi * 3 / 32 * torch.arange(4096.0))[None]
    for voice in BandSplit(SMALL)(mixture)[0]:
        gain = (voice * mixture).sum() / mixture.square().sum()
        assert 0.3 < gain < 0.7


def test_bfloat16_is_close() -> None:
    model, mixture = stirred(SMALL), torch.randn(1, 1000)
    exact = model(mixture)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        quick = model(mixture)
    assert quick.dtype == torch.float32
    assert (quick - exact).square().mean() < 1e-2 * exact.square().mean()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"blocks": 0}, "blocks must be at least 1, got 0."),
        ({"frame_samples": 250}, "frame_samples must be a multiple of 32 (twice the bands), got 250."),
        ({"heads": 3}, "features (128) must be a multiple of heads (3)."),
        ({"kernel_frames": 4}, "kernel_frames must be odd, got 4."),
        ({"taps": 2}, "taps must be odd, got 2."),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        BandSplitConfig(**sizes)
    assert str(refused.value) == message
