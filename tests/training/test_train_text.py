"""Training on words: the loss and the score as formulas, what is written, resuming, and the way to a model folder."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_helpers import check_pieces, check_start, load, read_log, recipe_of, refused, silent, write_dictionary

from unbraid.errors import ModelError
from unbraid.evaluation.text.scoring import Distance, closest, symbol_error_rate
from unbraid.hub.vocabulary import BEGIN, END, PADDING
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.training import export_run, rehearse, train
from unbraid.training.data.text import TextPair, text_batch
from unbraid.training.optimizer import MuonAndAdamW
from unbraid.training.tasks.text import Text, TextData, TextLoss, TextModel, accuracies, most_symbols, text_loss, write


def test_the_loss_is_the_smoothed_cross_entropy_of_what_is_not_padding() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[4, 2, PADDING], [3, 4, 2]])
    logs, terms = logits.log_softmax(-1), []
    for row, column in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]:
        wanted = torch.full((5,), 0.1 / 5)
        wanted[target[row, column]] += 0.9
        terms.append(-(wanted * logs[row, column]).sum())
    assert float(text_loss(TextLoss(0.1), logits, target)) == pytest.approx(float(torch.stack(terms).mean()), rel=1e-6)


WORDS = st.tuples(st.text("ab", max_size=4), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1))


@given(st.lists(WORDS, min_size=1))
def test_the_mean_accuracy_is_what_the_error_rate_leaves(words: list[tuple[str, list[str]]]) -> None:
    written = [[ord(letter) for letter in word] for word, _ in words]
    answers = [[[ord(letter) for letter in answer] for answer in right] for _, right in words]
    distances: list[Distance] = [closest(*pair) for pair in zip(written, answers, strict=True)]
    found = accuracies(written, answers)
    assert len(found) == sum(distance.symbols for distance in distances)
    assert float(found.mean()) == pytest.approx(100 - 100 * symbol_error_rate(distances), abs=1e-3)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_what_is_written_is_likeliest_step_by_step(positions) -> None:
    """As by teacher forcing, which needs no cache: each symbol is the argmax after those before it."""
    torch.manual_seed(1)
    sizes = AudioTransformerConfig(TextSide(9), TextSide(7), 8, 2, 16, 1, 2, positions)
    model = AudioTransformer(sizes).eval()
    batch = text_batch([TextPair(source, ([4],)) for source in ([4, 5, 6, 7, 8], [8, 4], [6])])
    found = write(model, batch.source, batch.lengths, most_symbols(batch.source.shape[1]))
    for source, symbols in zip(([4, 5, 6, 7, 8, END], [8, 4, END], [6, END]), found, strict=True):
        alone, length = torch.tensor([source]), torch.tensor([len(source)])
        so_far = [BEGIN]
        with torch.no_grad():
            while len(so_far) <= most_symbols(batch.source.shape[1]):
                so_far.append(int(model(alone, length, torch.tensor([so_far]))[0, -1].argmax()))
                if so_far[-1] == END:
                    break
        assert symbols == [symbol for symbol in so_far if symbol > 3]


def test_tables_of_symbols_are_not_muons() -> None:
    sizes = AudioTransformerConfig(TextSide(9), TextSide(7), 8, 2, 16, 1, 1)
    model = AudioTransformer(sizes)
    muon, adam = MuonAndAdamW(model, lr=1e-3, weight_decay=0.0).parts
    assert any(p is model.front.embedding.weight for p in adam.param_groups[0]["params"])
    assert any(p is model.encoder.layers[0].feed_in.weight for p in muon.param_groups[0]["params"])
    counted = sum(len(part.param_groups[0]["params"]) for part in (muon, adam))
    assert counted == len(list(model.parameters()))


def test_it_learns_to_spell_and_ends_in_a_model(words_recipe_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from unbraid.tasks.synthesis.phonemizer import Phonemizer

    changes = ["data.epoch_words=2560", "trainer.batch=32", "trainer.epochs=4", "model.dropout=0", "data.dev_words=0"]
    recipe, out = recipe_of(words_recipe_file, *changes), tmp_path / "run"
    train(recipe, out, silent)
    best = load(out / "best.pt")
    assert best["config"]["source"] == {"symbols": 8, "kind": "text"}
    assert best["vocabularies"]["target"][4:] == ["AA", "B", "D", "EY", "K"]
    assert best["dev_accuracy"] > 95
    assert "dev_accuracy" in read_log(out)[0]
    spec = export_run(recipe, out, tmp_path / "model")
    assert spec.scores == {"dev phoneme error rate (%)": round(100 - best["dev_accuracy"], 2)}
    with Phonemizer(tmp_path / "model") as phonemizer:
        assert str(phonemizer("cbd")[0].best) == "K B D"
    check_start(recipe_of(words_recipe_file, f"trainer.init={tmp_path / 'model'}"), tmp_path / "model", best["model"])


def test_a_run_in_pieces_is_as_one_that_was_never_stopped(words_recipe_file: Path, tmp_path: Path) -> None:
    check_pieces(words_recipe_file, tmp_path)


def test_a_dry_run_says_what_a_batch_is(words_recipe_file: Path) -> None:
    rows = rehearse(recipe_of(words_recipe_file)).rows
    assert rows["words"].startswith("2 of at most ")
    assert rows["phonemes"].startswith("at most ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.heads=3", "[model]: features (16) must be a multiple of heads (3)."),
        ("model.dropout=1", "[model]: dropout must be below 1, got 1.0."),
        ("loss.smoothing=1", "[loss]: smoothing must be below 1, got 1.0."),
        ("data.epoch_words=0", "[data]: epoch_words must be at least 1, got 0."),
        ("mixing.crop_seconds=1", "[mixing] is for the family sepformer or resepformer or conv_tasnet or band_split or "
         "tiger or causal_lstm or unet or audio_to_audio, not for text_to_text; take it out."),
    ],
)  # fmt: skip
def test_mistakes_are_named(words_recipe_file: Path, change: str, message: str) -> None:
    assert refused(words_recipe_file, change) == message


def test_weights_of_other_symbols_are_refused(tmp_path: Path) -> None:
    task = Text(
        TextModel(features=8, heads=2, hidden=8, encoder_layers=1, decoder_layers=1),
        TextData(str(write_dictionary(tmp_path))),
    )
    saved = {"model": {}, "vocabularies": {"source": ["x"], "target": ["y"]}}
    with pytest.raises(ModelError) as caught:
        task.start(task.network(), saved, "old.pt")
    assert str(caught.value) == "trainer.init: old.pt has other symbols than the data; leave trainer.init out."
