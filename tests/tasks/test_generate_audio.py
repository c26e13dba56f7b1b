"""Texts of spectrograms and waveforms: the graphs write what torch writes, CTC says what torch says, in any batch."""

import math
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import weights
from side_fakes import EVERY, WRITERS, items, side_spec
from unbraid.errors import UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.vocabulary import BEGIN, END
from unbraid.models.audio_transformer.config import PretrainedSide
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.state import BATCH_STEPS, batches

LISTENERS = [kind for kind in WRITERS if kind != "text to text"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model folder with random weights for each kind of source; texts end now and then."""
    pytest.importorskip("onnx")
    made = {}
    for kind in LISTENERS:
        made[kind] = tmp_path_factory.mktemp("listener") / "model"
        tensors = weights(WRITERS[kind], seed=9)
        tensors["back.symbols.bias"][END] += 1.0
        write_model_folder(made[kind], side_spec(WRITERS[kind]), tensors)
    return made


def refusal(generator: Generator, item: object) -> str:
    with pytest.raises(UsageError) as caught:
        generator.generate([item])  # type: ignore[list-item]
    return str(caught.value)


@pytest.mark.parametrize("kind", LISTENERS)
def test_the_graphs_write_what_torch_writes(folders: dict[str, Path], kind: str) -> None:
    """Greedily, all of the text so far through the module at every step."""
    torch = pytest.importorskip("torch")
    from unbraid.models.tensors import read_weights
    from unbraid.runtime.eager import load_module

    geometry, read = WRITERS[kind], items(WRITERS[kind].source, [4, 13, 7])
    with Generator(folders[kind], device="cpu", threads=1) as generator:
        found = [hypotheses[0] for hypotheses in generator.generate(read, most_symbols=8)]
    module = load_module(geometry, read_weights(folders[kind] / "model.safetensors"))
    for item, hypothesis in zip(read, found, strict=True):
        source, lengths = torch.from_numpy(item)[None], torch.tensor([len(item) // geometry.source.stride])
        written, logs = [BEGIN], []
        while len(written) <= 8 and (len(written) == 1 or written[-1] != END):
            with torch.inference_mode():
                logits = module(source, lengths, torch.tensor([written]))[0, -1]
            written.append(max(range(BEGIN + 1, len(logits)), key=lambda symbol: float(logits[symbol])))
            logs.append(float(logits.log_softmax(0)[written[-1]]))
        assert hypothesis.symbols == tuple(symbol for symbol in written[1:] if symbol != END)
        assert hypothesis.log_probabilities == pytest.approx(logs, abs=1e-4)


@pytest.mark.parametrize("how", [{"beams": 3, "length_penalty": 0.6}, {"beams": 2, "temperature": 1.0}])
@pytest.mark.parametrize("kind", LISTENERS)
def test_items_are_independent(folders: dict[str, Path], kind: str, how: dict[str, float]) -> None:
    read = items(WRITERS[kind].source, [4, 13, 7, 1])
    with Generator(folders[kind], device="cpu", threads=1) as generator:
        together = generator.generate(read, most_symbols=6, **how)
        for item, found in zip(read, together, strict=True):
            (alone,) = generator.generate([item], most_symbols=6, **how)
            assert [text.symbols for text in alone] == [text.symbols for text in found]
            assert [text.score for text in alone] == pytest.approx([text.score for text in found], abs=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in LISTENERS if WRITERS[kind].ctc])
def test_ctc_says_what_torch_says(folders: dict[str, Path], kind: str) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.models.tensors import read_weights
    from unbraid.runtime.eager import load_module

    (item,) = items(WRITERS[kind].source, [11])
    with Generator(folders[kind], device="cpu", threads=1) as generator:
        logs = generator.ctc(item)  # (N, V)
        filled = generator.ctc(item[:-1])
        if isinstance(side := WRITERS[kind].source, PretrainedSide):  # the rest is left out
            zeros = generator.ctc(item[: -side.stride])
        else:
            zeros = generator.ctc(np.concatenate((item[:-1], 0 * item[:1])))
    np.testing.assert_array_equal(filled, zeros)
    np.testing.assert_allclose(np.exp(logs).sum(1), 1)
    module = load_module(WRITERS[kind], read_weights(folders[kind] / "model.safetensors"))
    with torch.inference_mode():
        memory = module.encode(torch.from_numpy(item)[None], torch.tensor([11]))
        np.testing.assert_allclose(logs, module.ctc(memory)[0].log_softmax(1).numpy(), atol=1e-4)


def test_without_ctc_there_is_none(folders: dict[str, Path]) -> None:
    message = "^tiny-sides was trained without CTC: its encoder alone writes no text.$"
    with (
        Generator(folders["deep waveform to text"], device="cpu") as generator,
        pytest.raises(UsageError, match=message),
    ):
        generator.ctc(np.zeros(8, np.float32))


def test_what_is_not_audio_is_told(folders: dict[str, Path]) -> None:
    with Generator(folders["waveform to text"], device="cpu") as generator:
        assert refusal(generator, []) == "Item 0 is empty; there is nothing to read."
        assert refusal(generator, [[0.0, 0.1]]) == "Item 0 is float64 (1, 2), but the model reads samples (T,)."
        assert refusal(generator, ["a"]) == "Item 0 is <U1 (1,), but the model reads samples (T,)."
        assert refusal(generator, [0.0, math.nan]) == "Item 0 holds NaN or infinity, but the model reads samples (T,)."
    with Generator(folders["spectrogram to text"], device="cpu") as generator:
        frames = "but the model reads log-mel frames (N, 6)."
        assert refusal(generator, np.zeros((4, 5))) == f"Item 0 is float64 (4, 5), {frames}"
        assert refusal(generator, np.zeros(6)) == f"Item 0 is float64 (6,), {frames}"
        assert refusal(generator, np.full((4, 6), np.inf)) == f"Item 0 holds NaN or infinity, {frames}"


@pytest.mark.parametrize("kind", ["text to spectrogram", "waveform to waveform"])
def test_models_that_write_something_else_are_told(kind: str) -> None:
    nothing = None  # is never asked
    with pytest.raises(UsageError) as caught:
        Generator.over(nothing, nothing, side_spec(EVERY[kind]))  # type: ignore[arg-type]
    assert str(caught.value) == "tiny-sides does not write texts step by step; choose an audio Transformer that does."


def test_long_items_go_in_small_batches() -> None:
    """What a batch needs of memory has a bound, unless a single item is longer."""
    side = WRITERS["waveform to text"].source
    read = [np.zeros(side.stride * steps, np.float32) for steps in (BATCH_STEPS // 2, 3, BATCH_STEPS // 2, 5000, 9)]
    assert batches(read, side) == [[1, 4], [0, 2], [3]]


@pytest.mark.parametrize("kind", LISTENERS)
def test_a_text_of_ones_own_is_as_likely_as_when_the_model_writes_it(folders: dict[str, Path], kind: str) -> None:
    (item,) = items(WRITERS[kind].source, [9])
    with Generator(folders[kind], device="cpu", threads=1) as generator:
        (texts,) = generator.generate([item], beams=4, most_symbols=6)
        ended = [text for text in texts if text.ended]
        assert ended
        for text in ended:
            scored = generator.score(item, text.symbols)
            assert scored.symbols == text.symbols
            assert scored.log_probabilities == pytest.approx(text.log_probabilities, abs=1e-4)
