"""A pretrained encoder in front: rows of any lengths are what they are alone, and what is frozen stays as it was."""

import pytest

from side_fakes import BASE, WRITERS
from unbraid.models.audio_transformer.config import AudioTransformerConfig, PretrainedSide, SpectrogramSide, TextSide
from unbraid.models.audio_transformer.padding import size_of, steps_in

torch = pytest.importorskip("torch")

from unbraid.models.audio_transformer.network.model import AudioTransformer  # noqa: E402
from unbraid.models.wav2vec2.network import Backbone, Wav2Vec2, standardized  # noqa: E402

KINDS = [kind for kind in WRITERS if kind.startswith("pretrained")]


def network(kind: str = "pretrained to text", dropout: float = 0.0) -> AudioTransformer:
    torch.manual_seed(0)
    return AudioTransformer(WRITERS[kind], dropout)


def pretrained(frozen: bool, dropout: float = 0.0) -> tuple[AudioTransformer, dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    tensors = {name: tensor.clone() for name, tensor in Backbone(BASE).state_dict().items()}
    made = network(dropout=dropout)
    made.front.take(tensors, frozen)
    return made, tensors


@pytest.mark.parametrize("samples", [1, 13, 14, 15, 21, 22, 400])
def test_steps_are_those_of_the_network(samples: int) -> None:
    side = PretrainedSide(BASE)
    heard = torch.randn(1, max(samples, BASE.receptive_field))
    assert Wav2Vec2(BASE)(heard).shape[1] == steps_in(side, samples)
    assert steps_in(side, size_of(side, steps_in(side, samples))) == steps_in(side, samples)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_a_batch_is_what_it_is_alone(kind: str) -> None:
    """Whatever is behind it: statistics over time, positions and attention pass over it."""
    front, side = network(kind).eval().front, WRITERS[kind].source
    lengths = torch.tensor([5, 17, 1, 9])
    waveform = torch.randn(4, size_of(side, 17))
    together = front(waveform, lengths)
    for row, length, found in zip(waveform, lengths.tolist(), together, strict=True):
        alone = front(row[None, : size_of(side, length)], torch.tensor([length]))[0]
        torch.testing.assert_close(found[:length], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trunk_of_whole_rows_is_the_published_network(kind: str) -> None:
    """Which knows no lengths."""
    trunk, side = network(kind).eval().front.trunk, WRITERS[kind].source
    waveform = torch.randn(2, size_of(side, 9))
    torch.testing.assert_close(trunk(waveform, torch.tensor([9, 9])), trunk(waveform), atol=1e-5, rtol=1e-5)


def test_what_counts_has_no_mean_and_unit_variance() -> None:
    x = 3 + 2 * torch.randn(2, 3, 50)
    found = standardized(x, torch.tensor([50, 20]))
    assert not found[1, :, 20:].any()
    for part in (found[0], found[1, :, :20]):
        torch.testing.assert_close(part.mean(-1), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(part.var(-1, correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_what_is_frozen_learns_nothing_and_drops_nothing() -> None:
    made, tensors = pretrained(frozen=True, dropout=0.5)
    made.train()
    assert made.encoder.training and not any(module.training for module in made.front.trunk.modules())
    lengths, waveform = torch.tensor([5, 3]), torch.randn(2, size_of(made.geometry.source, 5))
    assert torch.equal(made.front(waveform, lengths), made.front(waveform, lengths))
    made.ctc(made.encode(waveform, lengths)).sum().backward()
    assert made.front.project.weight.grad is not None
    assert all(parameter.grad is None for parameter in made.front.trunk.parameters())
    assert all(torch.equal(found, tensors[name]) for name, found in made.front.trunk.state_dict().items())


def test_what_is_not_frozen_learns() -> None:
    made, _ = pretrained(frozen=False, dropout=0.5)
    made.train()
    lengths, waveform = torch.tensor([5, 3]), torch.randn(2, size_of(made.geometry.source, 5))
    assert not torch.equal(made.front(waveform, lengths), made.front(waveform, lengths))
    made.ctc(made.encode(waveform, lengths)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in made.front.trunk.parameters())


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (TextSide(9), PretrainedSide(BASE), "a pretrained encoder reads audio, and makes none; choose another target."),
        (
            PretrainedSide(BASE),
            SpectrogramSide(6),
            "behind a pretrained encoder comes text, no audio; choose another source.",
        ),
    ],
)
def test_it_reads_what_is_to_be_text(source: object, target: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        AudioTransformerConfig(source, target, decoder_layers=1)
    assert str(caught.value) == message
