"""Audio at the ends of the audio Transformer: steps stay at their sound; padding and the future are not seen."""

import pytest

from unbraid.models.audio_transformer.config import AudioTransformerConfig, Side, SpectrogramSide, TextSide, WaveSide

torch = pytest.importorskip("torch")

from unbraid.models.audio_transformer.network.model import AudioTransformer  # noqa: E402
from unbraid.models.audio_transformer.network.spectrogram_ends import SpectrogramBack, SpectrogramFront  # noqa: E402
from unbraid.models.audio_transformer.network.wave_ends import WaveBack, WaveFront, WaveMasks, inverse_fourier  # noqa: E402

TEXT = TextSide(14)
FRAMES, STRIDED = SpectrogramSide(16), SpectrogramSide(16, (2, 3))
LEARNED, STACK, HOP = WaveSide((64,), (32,), 24), WaveSide((15, 24), (5, 16), 24), WaveSide((256,), (80,), 129)
ALIGNED = [(FRAMES, FRAMES), (LEARNED, LEARNED), (STACK, FRAMES), (FRAMES, HOP), (STRIDED, SpectrogramSide(8, (6,)))]
DECODED = [(STRIDED, TEXT), (STACK, TEXT), (TEXT, SpectrogramSide(16, (3,))), (FRAMES, SpectrogramSide(8, (2,)))]
IDS = [f"{a.kind}-{b.kind}" for a, b in ALIGNED], [f"{a.kind}-{b.kind}" for a, b in DECODED]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def network(source: Side, target: Side, **sizes) -> AudioTransformer:
    sizes = {"features": 24, "heads": 3, "hidden": 40, "encoder_layers": 2, "positions": "rotary", **sizes}
    return AudioTransformer(AudioTransformerConfig(source, target, **sizes)).eval().requires_grad_(False)


def read(side: Side, steps: int, batch: int = 2) -> torch.Tensor:
    """Something to read of so many steps."""
    if isinstance(side, TextSide):
        return torch.randint(4, side.symbols, (batch, steps))
    shape = (steps * side.stride, side.bins) if isinstance(side, SpectrogramSide) else (steps * side.stride,)
    return torch.randn(batch, *shape)


def written(side: Side, steps: int, batch: int = 2) -> torch.Tensor:
    """A target of so many steps, for the decoder."""
    return (
        read(side, steps, batch) if isinstance(side, TextSide) else torch.randn(batch, steps, side.stride * side.bins)
    )


def per_step(side: Side) -> int:
    return 1 if isinstance(side, TextSide) else side.stride


@pytest.mark.parametrize(("source", "target"), ALIGNED, ids=IDS[0])
def test_a_step_comes_out_for_each_that_goes_in(source: Side, target: Side) -> None:
    net = network(source, target, decoder_layers=0)
    out = net(read(source, 9), torch.tensor([9, 9]))
    assert out.shape == (
        (2, 9 * target.stride, target.bins) if isinstance(target, SpectrogramSide) else (2, 9 * target.stride)
    )


@pytest.mark.parametrize(("source", "target"), ALIGNED, ids=IDS[0])
def test_padding_is_not_heard_where_all_is_aligned(source: Side, target: Side) -> None:
    net, x = network(source, target, decoder_layers=0), read(source, 12)
    both = net(x, torch.tensor([12, 7]))
    alone = net(x[1:, : 7 * source.stride], torch.tensor([7]))
    torch.testing.assert_close(both[1:, : alone.shape[1]], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("source", "target"), DECODED, ids=IDS[1])
def test_padding_is_not_heard_by_the_decoder(source: Side, target: Side) -> None:
    net, x, y = network(source, target, decoder_layers=2), read(source, 12), written(target, 5)
    both = net(x, torch.tensor([12, 7]), y)
    alone = net(x[1:, : 7 * per_step(source)], torch.tensor([7]), y[1:])
    for one, other in zip(*(out if isinstance(out, tuple) else (out,) for out in (both, alone)), strict=True):
        torch.testing.assert_close(one[1:], other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("target", [TEXT, SpectrogramSide(16, (3,))], ids=lambda side: side.kind)
def test_no_future_leaks_to_the_bit(target: Side) -> None:
    net, x, y = network(FRAMES, target, decoder_layers=2), read(FRAMES, 12), written(target, 6)
    lengths, changed = torch.tensor([12, 7]), y.clone()
    changed[:, 4] = written(target, 1)[:, 0] + 1 if target is not TEXT else (y[:, 4] - 3) % 10 + 4
    before, after = net(x, lengths, y), net(x, lengths, changed)
    for one, other in zip(*(out if isinstance(out, tuple) else (out,) for out in (before, after)), strict=True):
        assert torch.equal(one[:, :4], other[:, :4]) and not torch.equal(one[:, 4:], other[:, 4:])


def test_frames_come_one_by_one_as_they_do_together() -> None:
    target = SpectrogramSide(16, (3,))
    net, x, y = network(TEXT, target, decoder_layers=2), read(TEXT, 9), written(target, 5)
    lengths = torch.tensor([9, 4])
    frames, stops = net(x, lengths, y)
    memory = net.prepare(x, lengths)
    past = memory[0][..., :0, :], memory[1][..., :0, :]
    for m in range(5):
        (frame, stop), past = net.step(y[:, m], past, memory, lengths)
        torch.testing.assert_close(frame, frames[:, m], atol=1e-5, rtol=0)
        torch.testing.assert_close(stop, stops[:, m], atol=1e-5, rtol=0)


def test_ctc_hears_every_step() -> None:
    net = network(STRIDED, TEXT, decoder_layers=1, ctc=True)
    memory = net.encode(read(STRIDED, 9), torch.tensor([9, 9]))
    assert net.ctc(memory).shape == (2, 9, 14)


@pytest.mark.parametrize("side", [FRAMES, STRIDED, LEARNED, STACK], ids=["frames", "strided", "one", "stack"])
def test_steps_lie_around_their_sound(side: Side) -> None:
    """What happens inside a step, far from its borders, is seen by it and its neighbours alone."""
    front = (SpectrogramFront if isinstance(side, SpectrogramSide) else WaveFront)(side, 24)
    lengths = torch.tensor([11])
    x = torch.zeros_like(read(side, 11, 1))
    touched = x.clone()
    if isinstance(front, WaveFront):
        front.tells_level, front.project = False, torch.nn.Linear(side.filters, 24)
    touched[:, 5 * side.stride + side.stride // 2] = 1.0
    moved = (front(touched, lengths) - front(x, lengths)).abs().sum(2)[0]
    assert moved[5] > 1e-3 and moved[:3].max() == moved[8:].max() == 0


def test_masks_follow_the_level_of_the_waveform() -> None:
    """Ten times louder in is ten times louder out: layer norms take the level away from what makes the masks."""
    net, x = network(LEARNED, LEARNED, decoder_layers=0), read(LEARNED, 40)
    lengths = torch.tensor([40, 40])
    one, ten = net(x, lengths), net(10 * x, lengths)
    torch.testing.assert_close(ten, 10 * one, atol=1e-3 * one.abs().max().item(), rtol=0)
    assert isinstance(net.back, WaveMasks) and net(0 * x, lengths).abs().max() == 0


def test_a_spectrogram_is_altered_not_made() -> None:
    net, x = network(FRAMES, FRAMES, decoder_layers=0), read(FRAMES, 9)
    net.back.frames.weight.zero_(), net.back.frames.bias.zero_()
    assert torch.equal(net(x, torch.tensor([9, 9])), x)


def test_the_first_filters_are_an_inverse_fourier_transform() -> None:
    """A coefficient of amplitude 1 in every step of one filter, its phase going on as its frequency does: its tone."""
    back, k, steps = WaveBack(HOP, 24), 16, 40
    angle = torch.pi * k / 128 * 80 * torch.arange(steps)
    parts = torch.zeros(1, 2 * 129, steps)
    parts[0, k], parts[0, 129 + k] = angle.cos(), angle.sin()
    tone = back.decoder(parts).detach()[0, 0, 800:2400]
    expected = torch.cos(torch.pi * k / 128 * (torch.arange(800, 2400) + 88))
    scale = tone @ expected / (expected @ expected)
    assert (tone - scale * expected).norm() < 0.02 * tone.norm() and scale > 0
    assert inverse_fourier(HOP).shape == (258, 256)


def test_a_tone_that_lasts_needs_no_more_than_its_phase() -> None:
    """Amplitude and phase that stay as they are make a tone without a break, since the turns are counted for them."""
    back, k = WaveBack(HOP, 24).requires_grad_(False), 16
    back.amplitude.weight.zero_(), back.amplitude.bias.fill_(-20.0)
    back.amplitude.bias[k] = 0.0
    back.phase.weight.zero_(), back.phase.bias.zero_()
    tone = back(torch.zeros(1, 40, 24), torch.tensor([40]))[0, 800:2400]
    expected = torch.cos(torch.pi * k / 128 * (torch.arange(800, 2400) + 88))
    scale = tone @ expected / (expected @ expected)
    assert (tone - scale * expected).norm() < 0.02 * tone.norm()


def test_masks_of_one_half_leave_half_of_noise_at_first() -> None:
    """The first filters behind undo those in front."""
    side = WaveSide((64,), (16,), 96)
    net, x = network(side, side, decoder_layers=0), torch.randn(1, 16 * 200)
    net.back.mask.weight.zero_(), net.back.mask.bias.zero_()
    made = net(x, torch.tensor([200]))
    inner = slice(64, -64)
    assert (made - x / 2)[:, inner].norm() < 0.2 * (x / 2)[:, inner].norm()


def test_the_pre_net_forgets_in_training_only() -> None:
    back, frames = SpectrogramBack(SpectrogramSide(16, (2,)), 24), torch.randn(1, 3, 32)
    assert not torch.equal(back.embed(frames), back.embed(frames))
    back.eval()
    assert torch.equal(back.embed(frames), back.embed(frames))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectrogramSide(0), "bins must be at least 1, got 0."),
        (lambda: SpectrogramSide(8, ()), "strides must be at least 1, got 0."),
        (lambda: WaveSide((8, 4), (4,)), "each convolution needs both, not 2 kernels, 1 strides."),
        (lambda: WaveSide((7,), (4,)), "a kernel must be its stride and an even number more, got 7 for 4."),
        (
            lambda: AudioTransformerConfig(FRAMES, HOP, decoder_layers=1),
            "a decoder writes text or spectrograms, no waveforms; set decoder_layers to 0.",
        ),
        (
            lambda: AudioTransformerConfig(FRAMES, FRAMES, decoder_layers=0, ctc=True),
            "ctc is for text that is written from audio.",
        ),
        (
            lambda: AudioTransformerConfig(TEXT, FRAMES, decoder_layers=0),
            "decoder_layers must be at least 1 where one side is text, got 0.",
        ),
    ],
)
def test_sides_that_make_no_sense_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message
