"""Texts are written as the model's probabilities say, whatever the batch; the graphs write what torch writes."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import TEXT, speech_spec, text_spec, weights
from unbraid.errors import ModelNotFound, UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.vocabulary import BEGIN, END, PADDING
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.search import Hypothesis
from unbraid.tasks.decoding.state import BATCH_ITEMS

A, B, C = 4, 5, 6
SYMBOLS = 7
TINY = AudioTransformerConfig(TextSide(9), TextSide(SYMBOLS), 2, 1, 2, 1, 1)
Language = Callable[[tuple[int, ...], tuple[int, ...]], Sequence[float]]  # (item, written so far) -> p (V,)


class Reader:
    """An encoder whose memory is what it has read."""

    device, reason = "fake", "a test asked for it"

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        read = inputs["symbols"][None, :, None, :, None].astype(np.float32)  # (L, B, H, N, D/H)
        return {"cross_keys": read, "cross_values": read}

    def close(self) -> None:
        self.closed = True


class Writer(Reader):
    """A decoder whose past is what it has written, and whose probabilities are a function of both."""

    def __init__(self, language: Language):
        self.language = language
        self.rows: list[int] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        new = inputs["symbols"][None, :, None, None, None].astype(np.float32)
        past = np.concatenate((inputs["self_keys"][..., :1], new), axis=3)  # (1, B, 1, n + 1, 1)
        logits = []
        for row, length in enumerate(inputs["lengths"]):
            item = inputs["cross_keys"][0, row, 0, :length, 0].astype(int)
            begin, *written = past[0, row, 0, :, 0].astype(int)
            assert begin == BEGIN
            logits.append(np.log(np.maximum(self.language(tuple(item), tuple(written)), 1e-30)) + row % 3)
        self.rows.append(len(logits))
        return {"logits": np.array(logits, np.float32), "new_self_keys": past, "new_self_values": past}


def generator(language: Language) -> Generator:
    return Generator.over(Reader(), Writer(language), text_spec(TINY))


def table(probabilities: dict[tuple[int, ...], dict[int, float]]) -> Language:
    """A language of a few beginnings; after all others comes the end."""

    def language(_: tuple[int, ...], written: tuple[int, ...]) -> Sequence[float]:
        after = probabilities.get(written, {END: 1.0})
        return [after.get(symbol, 0.0) for symbol in range(SYMBOLS)]

    return language


def scrambled(item: tuple[int, ...], written: tuple[int, ...]) -> Sequence[float]:
    """A language of any texts, in which everything depends on everything."""
    random = np.random.default_rng((*item, BEGIN, *written))
    p: np.ndarray = random.dirichlet(np.full(SYMBOLS, 0.4))
    return [*p]


GARDEN = table({(): {A: 0.6, B: 0.4}, (A,): {C: 0.4, B: 0.3, END: 0.3}, (B,): {END: 0.9, C: 0.1}})


def texts(found: list[Hypothesis]) -> list[tuple[int, ...]]:
    return [hypothesis.symbols for hypothesis in found]


def test_beams_find_a_likelier_text_than_greed() -> None:
    (greedy,), (beam,) = (generator(GARDEN).generate([[4]], beams=beams) for beams in (1, 3))
    assert texts(greedy) == [(A, C)]
    assert greedy[0].probability == pytest.approx(0.24)
    assert texts(beam) == [(B,), (A, C), (A,)]  # (A, B) is as likely as (A,), and longer
    assert [hypothesis.probability for hypothesis in beam] == pytest.approx([0.36, 0.24, 0.18])
    assert np.exp(beam[1].log_probabilities) == pytest.approx([0.6, 0.4, 1.0])
    assert all(hypothesis.ended for hypothesis in beam)
    assert [hypothesis.score for hypothesis in beam] == pytest.approx(np.log([0.36, 0.24, 0.18]))


def test_a_penalty_prefers_longer_texts() -> None:
    language = table({(): {A: 0.5, B: 0.5}, (A,): {C: 0.8, END: 0.2}, (B,): {END: 0.9, C: 0.1}})
    short, long = (generator(language).generate([[4]], beams=4, length_penalty=x)[0] for x in (0.0, 5.0))
    assert (texts(short)[0], texts(long)[0]) == ((B,), (A, C))
    assert long[0].score == pytest.approx(math.log(0.4) / (8 / 6) ** 5)


@settings(max_examples=25, deadline=None)
@given(item=st.lists(st.integers(4, 8), min_size=1, max_size=3), penalty=st.sampled_from([0.0, 0.7]))
def test_one_beam_is_greedy(item: list[int], penalty: float) -> None:
    (found,) = generator(scrambled).generate([item], length_penalty=penalty, most_symbols=6)
    written: list[int] = []
    logs = []
    while len(written) < 6:
        p = np.array(scrambled(tuple(item), tuple(written)))
        allowed = np.where(np.isin(range(SYMBOLS), (PADDING, BEGIN)), 0, p)
        logs.append(math.log(max(p[symbol := int(allowed.argmax())], 1e-30) / p.sum()))
        if symbol == END:
            break
        written.append(symbol)
    assert texts(found) == [tuple(written)]
    assert found[0].log_probabilities == pytest.approx(logs, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(item=st.lists(st.integers(4, 8), min_size=1, max_size=3))
def test_enough_beams_find_the_best_of_all_texts(item: list[int]) -> None:
    every: dict[tuple[int, ...], float] = {}
    for length in range(3):
        for symbols in itertools.product(range(END + 1, SYMBOLS), repeat=length):
            steps = [*symbols, END]
            each = [scrambled(tuple(item), symbols[:i])[symbol] for i, symbol in enumerate(steps)]
            every[symbols] = float(np.prod(each))
    best = sorted(every, key=lambda symbols: -every[symbols])[:4]
    (found,) = generator(scrambled).generate([item], beams=64, most_symbols=3)
    ended = [hypothesis for hypothesis in found if hypothesis.ended]
    assert texts(ended)[:4] == best
    assert [hypothesis.probability for hypothesis in ended[:4]] == pytest.approx([every[s] for s in best], rel=1e-4)
    assert found[: len(ended)] == ended  # what was cut off comes last


@settings(max_examples=10, deadline=None)
@given(
    items=st.lists(st.lists(st.integers(4, 8), min_size=1, max_size=5), min_size=1, max_size=9),
    how=st.sampled_from([{}, {"beams": 3}, {"beams": 2, "temperature": 1.5, "seed": 7}]),
)
def test_items_are_independent(items: list[list[int]], how: dict[str, float]) -> None:
    together = generator(scrambled).generate(items, most_symbols=5, **how)
    for item, found in zip(items, together, strict=True):
        (alone,) = generator(scrambled).generate([item], most_symbols=5, **how)
        assert texts(alone) == texts(found)
        for one, other in zip(alone, found, strict=True):
            assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-5)


def test_rows_that_are_done_are_run_no_more_and_batches_are_small() -> None:
    longer = table({(): {A: 1.0}, (A,): {B: 1.0}})
    short_or_long = lambda item, written: longer(item, written if item[0] == 4 else (C,))  # noqa: E731
    made = generator(short_or_long)
    assert [texts(found) for found in made.generate([[5], [4], [5]])] == [[()], [(A, B)], [()]]
    assert made._decoder.rows == [3, 1, 1]  # type: ignore[attr-defined]
    made = generator(longer)
    assert len(made.generate([[4]] * (BATCH_ITEMS + 3))) == BATCH_ITEMS + 3
    assert made._decoder.rows == [BATCH_ITEMS] * 3 + [3] * 3  # type: ignore[attr-defined]
    assert made.generate([]) == []


def test_draws_follow_the_probabilities() -> None:
    """Within five standard deviations of 4000 draws; the seed is fixed."""
    language = table({(): {A: 0.5, B: 0.3, C: 0.2}})
    for temperature in (1.0, 0.5, 2.0):
        (found,) = generator(language).generate([[4]], beams=4000, temperature=temperature, seed=1)
        expected = np.array([0.5, 0.3, 0.2]) ** (1 / temperature)
        expected /= expected.sum()
        shares = [texts(found).count((symbol,)) / 4000 for symbol in (A, B, C)]
        assert shares == pytest.approx(expected, abs=5 * math.sqrt(0.25 / 4000))
        assert {h.symbols: round(h.probability, 5) for h in found} == {(A,): 0.5, (B,): 0.3, (C,): 0.2}


def test_draws_are_the_seed_s_and_cold_ones_are_greedy() -> None:
    def draw(seed: int, temperature: float = 2.0) -> list[tuple[int, ...]]:
        (found,) = generator(scrambled).generate([[4]], beams=20, temperature=temperature, seed=seed, most_symbols=4)
        return texts(found)

    assert draw(3) == draw(3) != draw(4)
    assert set(draw(3, 1e-3)) == set(texts(generator(scrambled).generate([[4]], most_symbols=4)[0]))


def test_what_is_not_allowed_is_not_written() -> None:
    asked: list[tuple[int, tuple[int, ...]]] = []

    def no_b(item: int, written: tuple[int, ...]) -> np.ndarray:
        asked.append((item, written))
        return np.array([symbol != B for symbol in range(SYMBOLS)])

    for beams, temperature in ((1, 0.0), (3, 0.0), (30, 1.0)):
        found = generator(GARDEN).generate([[4], [5, 6]], beams=beams, temperature=temperature, allowed=no_b)
        assert not any(B in text for texts_ in map(texts, found) for text in texts_)
        assert found[0][0].probability == pytest.approx(0.24, abs=0.1)  # of the model, not of what is left of it
    assert {item for item, _ in asked} == {0, 1}
    assert {(), (A,)} <= {written for _, written in asked}


def test_a_constraint_that_allows_nothing_or_is_none_is_told() -> None:
    made = generator(GARDEN)
    with pytest.raises(UsageError) as caught:
        made.generate([[4], [5]], allowed=lambda item, _: np.full(SYMBOLS, item == 0))
    assert str(caught.value) == "Nothing can be written for item 1: no symbol is allowed to follow."
    with pytest.raises(UsageError) as caught:
        made.generate([[4]], allowed=lambda item, _: np.ones(3))
    assert str(caught.value) == "allowed returns 7 booleans, not float64 (3,)."


def test_texts_without_end_are_cut_off() -> None:
    for beams in (1, 2):
        (found,) = generator(lambda item, _: [0, 0, 0.1, 0, 0.5, 0.2, 0.2]).generate([[4]], beams=beams, most_symbols=3)
        if beams == 1:
            assert (texts(found), found[0].ended) == ([(A, A, A)], False)
            assert found[0].log_probabilities == pytest.approx([math.log(0.5)] * 3)
    never = generator(lambda item, _: [0, 0, 0, 0, 0.5, 0.25, 0.25])
    (found,) = never.generate([[4]], beams=3, most_symbols=2)
    assert texts(found)[0] == (A, A)
    assert not any(hypothesis.ended for hypothesis in found)


def test_neither_padding_nor_another_begin_is_ever_written() -> None:
    (found,) = generator(lambda item, _: [0.4, 0.4, 0.1, 0, 0.1, 0, 0]).generate([[4]], beams=2, most_symbols=3)
    assert not {PADDING, BEGIN} & {symbol for text in texts(found) for symbol in text}


BAD: list[tuple[list[list[int]], dict[str, float], str]] = [
    ([[4], []], {}, "Item 1 is empty; there is nothing to read."),
    ([[4], [4, 9]], {}, "Item 1 holds 9, but the model reads symbols from 0 to 8."),
    ([[-1]], {}, "Item 0 holds -1, but the model reads symbols from 0 to 8."),
    ([[4], [4.5]], {}, "Item 1 is float64 (1,), but the model reads symbols (N,), whole numbers."),
    ([[[4], [5]]], {}, "Item 0 is int64 (2, 1), but the model reads symbols (N,), whole numbers."),
    ([[4]], {"beams": 0}, "At least one beam and one symbol are needed, got 0 and 100."),
    ([[4]], {"most_symbols": 0}, "At least one beam and one symbol are needed, got 1 and 0."),
    ([[4]], {"temperature": -1.0}, "temperature is a number from 0 up, not -1.0."),
    ([[4]], {"length_penalty": math.nan}, "length_penalty is a number from 0 up, not nan."),
    ([[4]], {"seed": -3}, "seed is a number from 0 up, not -3."),
]


@pytest.mark.parametrize(("items", "how", "message"), BAD, ids=[message[:40] for _, _, message in BAD])
def test_bad_requests_are_told(items: list[list[int]], how: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        generator(GARDEN).generate(items, **how)
    assert str(caught.value) == message


def test_models_that_write_no_text_are_told(speech_folder: Path, tmp_path: Path) -> None:
    message = "^tiny-speech does not write texts step by step; choose an audio Transformer that does.$"
    with pytest.raises(UsageError, match=message):
        Generator(speech_folder)
    with pytest.raises(UsageError, match=message):
        Generator.over(Reader(), Reader(), speech_spec())
    with pytest.raises(ModelNotFound):
        Generator(tmp_path / "absent")


ITEMS = [[4, 5, 6, 2], [8, 2], [7, 7, 4, 5, 8, 6, 4, 4, 5, 2], [6, 5, 2], [4, 8, 8, 2]]


@pytest.fixture(scope="module", params=["sinusoidal", "rotary"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, which ends texts now and then."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("text") / "model"
    spec = text_spec(dataclasses.replace(TEXT, positions=request.param))
    tensors = weights(spec.geometry, seed=9)
    tensors["back.symbols.bias"][END] += 1.0
    write_model_folder(folder, spec, tensors)
    return folder


def test_the_graphs_write_what_torch_writes(model: Path) -> None:
    """Greedily, all of the text so far through the module at every step: no caches, no graphs."""
    torch = pytest.importorskip("torch")
    from unbraid.models.tensors import read_weights
    from unbraid.runtime.eager import load_module

    with Generator(model, device="cpu", threads=1) as made:
        found = [hypotheses[0] for hypotheses in made.generate(ITEMS, most_symbols=12)]
        module = load_module(made.spec.geometry, read_weights(model / "model.safetensors"))
    assert {hypothesis.ended for hypothesis in found} == {True, False}  # or the test would say less
    for item, hypothesis in zip(ITEMS, found, strict=True):
        written, logs = [BEGIN], []
        while len(written) <= 12 and (len(written) == 1 or written[-1] != END):
            with torch.inference_mode():
                logits = module(torch.tensor([item]), torch.tensor([len(item)]), torch.tensor([written]))[0, -1]
            written.append(max(range(BEGIN + 1, len(logits)), key=lambda symbol: float(logits[symbol])))
            logs.append(float(logits.log_softmax(0)[written[-1]]))
        assert hypothesis.symbols == tuple(symbol for symbol in written[1:] if symbol != END)
        assert hypothesis.log_probabilities == pytest.approx(logs, abs=1e-4)


@pytest.mark.parametrize("how", [{"beams": 1}, {"beams": 4, "length_penalty": 0.6}, {"beams": 3, "temperature": 1.0}])
def test_both_engines_find_the_same_in_any_batch(model: Path, how: dict[str, float]) -> None:
    pytest.importorskip("torch")
    with (
        Generator(model, device="cpu", threads=1) as ours,
        Generator(model, device="torch", threads=1) as theirs,
    ):
        assert (ours.device, ours.device_reason) == ("cpu", "asked for")
        together = ours.generate(ITEMS, most_symbols=10, **how)
        alone = [ours.generate([item], most_symbols=10, **how)[0] for item in ITEMS]
        for others in (alone, theirs.generate(ITEMS, most_symbols=10, **how)):
            for found, expected in zip(together, others, strict=True):
                assert texts(found) == texts(expected)
                for one, other in zip(found, expected, strict=True):
                    assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)
                    assert one.score == pytest.approx(other.score, abs=1e-4)
