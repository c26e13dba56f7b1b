"""The causal LSTM: a stream cut anywhere is the whole, nothing later is heard, and silence stays silent."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from engine_fakes import LIVE
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.causal_lstm.layout import level_weights
from unbraid.models.causal_lstm.network import CausalLSTM

HOP = LIVE.hop_samples


def stirred(geometry: CausalLSTMConfig = LIVE, seed: int = 0) -> CausalLSTM:
    """A network none of whose layers is nothing any more."""
    torch.manual_seed(seed)
    model = CausalLSTM(geometry).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter) / math.sqrt(parameter.shape[-1]))
    return model


def zeros(geometry: CausalLSTMConfig, batch: int) -> torch.Tensor:
    return torch.zeros(batch, geometry.state_size)


@pytest.mark.parametrize(
    "geometry", [LIVE, dataclasses.replace(LIVE, taps=1, kernel_frames=1), dataclasses.replace(LIVE, sources=1)]
)
@torch.no_grad()
def test_a_stream_in_pieces_is_the_whole(geometry: CausalLSTMConfig) -> None:
    model, audio = stirred(geometry), torch.randn(2, 40 * HOP)
    whole, last = model.stream(audio, zeros(geometry, 2))
    for sizes in ([1] * 40, [3, 1, 7, 29], [39, 1]):
        state, pieces = zeros(geometry, 2), []
        for piece in audio.split([size * HOP for size in sizes], 1):
            made, state = model.stream(piece, state)
            pieces.append(made)
        torch.testing.assert_close(torch.cat(pieces, -1), whole, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(state, last, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_whole_crops_are_the_stream_without_its_delay() -> None:
    model, audio = stirred(), torch.randn(2, 30 * HOP + 5)
    streamed, _ = model.stream(torch.nn.functional.pad(audio, (0, 2 * HOP - 5)), zeros(LIVE, 2))
    torch.testing.assert_close(model(audio), streamed[..., HOP : HOP + audio.shape[1]])


@torch.no_grad()
def test_nothing_later_than_the_latency_is_heard() -> None:
    model, audio = stirred(), torch.randn(1, 20 * HOP)
    changed = audio.clone()
    changed[:, 12 * HOP :] = torch.randn(1, 8 * HOP)
    first, second = model(audio), model(changed)
    until = 12 * HOP - (LIVE.latency_samples - HOP)  # the frame that begins there is the first to hear the change
    assert torch.equal(first[..., :until], second[..., :until])
    assert not torch.allclose(first[..., until : until + HOP], second[..., until : until + HOP])


@torch.no_grad()
def test_silence_stays_silent_and_the_level_goes_through() -> None:
    model, audio = stirred(), torch.randn(1, 30 * HOP)
    assert not model(torch.zeros(2, 333)).any()
    loud = model(audio)
    torch.testing.assert_close(model(0.01 * audio), 0.01 * loud, atol=1e-5, rtol=1e-3)
    audio[:, 20 * HOP :] = 0
    assert not model(audio)[..., (20 + LIVE.taps + 1) * HOP :].any()


def test_it_begins_as_half_of_the_mixture_of_now() -> None:
    model, audio = CausalLSTM(LIVE), torch.randn(1, 400)
    with torch.no_grad():
        model.outlet.weight.zero_()
        tone = torch.cos(2 * math.pi * 3 / LIVE.frame_samples * torch.arange(400.0))[None]
        torch.testing.assert_close(model(tone)[:, 0, 32:-32], 0.5 * tone[:, 32:-32], atol=3e-3, rtol=0)
        assert model(audio).shape == (1, LIVE.sources, 400)


def test_every_weight_learns_also_in_bfloat16() -> None:
    model = CausalLSTM(LIVE)
    with torch.no_grad():
        for block in model.blocks:
            block.feed.out.weight.normal_(0, 0.1)  # type: ignore[union-attr, operator]
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.randn(2, 500)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_the_running_level_is_a_mean_of_which_the_newest_counts_most() -> None:
    weights = level_weights(64)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) > 0).all()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"frame_samples": 31}, "frame_samples must be even, got 31."),
        ({"taps": 0}, "taps must be at least 1, got 0."),
        ({"level_frames": 5000}, "level_frames must be at most 4096, got 5000."),
        ({"sources": 65}, "sources must be at most 64, got 65."),
    ],
)
def test_sizes_have_ranges(changes: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}$"):
        dataclasses.replace(LIVE, **changes)


def test_the_latency_follows_from_the_frame() -> None:
    assert CausalLSTMConfig().latency_samples == 256
    assert CausalLSTMConfig().latency_samples / 8000 <= 0.04
