"""Training on speech: loss and what is heard as formulas, who is left out, resuming, the way to a model folder."""

import itertools
from pathlib import Path

import pytest
import torch
from digit_tones import RECIPE, write_tones
from train_helpers import check_pieces, check_start, load, read_log, recipe_of, refused, silent, write_recipe

from unbraid.errors import ModelError, UsageError
from unbraid.hub.spec import Windows
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.audio_transformer.config import SpectrogramSide, WaveSide
from unbraid.training import export_run, rehearse, train
from unbraid.training.tasks.audio_to_text import AudioTextModel, ctc_loss, heard

WAVE = ('model.source="waveform"', "model.kernels=[20,8]", "model.strides=[20,8]", "model.filters=8")


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("data") / "tones")


@pytest.fixture
def recipe_file(tmp_path: Path, tones: Path) -> Path:
    return write_recipe(tmp_path / "tones.toml", RECIPE, "tones", tones)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def test_ctc_is_the_sum_over_all_ways_to_say_it() -> None:
    """Graves et al., 2006, equation 3: all paths of three steps that become the text."""
    logits = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    answers, lengths = [(4, 5), (4,)], torch.tensor([4, 3])
    logs, total = logits.log_softmax(-1), 0.0
    for row, (answer, length) in enumerate(zip(answers, lengths.tolist(), strict=True)):
        ways = [path for path in itertools.product(range(6), repeat=length) if collapsed(path) == answer]
        each = [sum(float(logs[row, step, symbol]) for step, symbol in enumerate(path)) for path in ways]
        total -= float(torch.tensor(each).logsumexp(0))
    assert float(ctc_loss(logits, lengths, answers)) == pytest.approx(total / 3, rel=1e-5)


def test_silence_is_learnt_and_what_has_no_room_counts_nothing() -> None:
    logits = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    blank = -logits.log_softmax(-1)[0, :, 0].sum()
    assert float(ctc_loss(logits, torch.tensor([3]), [()]).detach()) == pytest.approx(float(blank.detach()), rel=1e-5)
    crowded = ctc_loss(logits, torch.tensor([3]), [(4, 4, 4)])
    crowded.backward()
    assert float(crowded.detach()) == 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_what_is_heard_has_no_blanks_and_nothing_twice_at_once() -> None:
    paths = torch.tensor([[0, 4, 4, 0, 4, 5, 3, 5], [4, 0, 0, 6, 6, 6, 6, 5]])
    logits = torch.nn.functional.one_hot(paths, 7).float()
    assert heard(logits, torch.tensor([8, 5])) == [[4, 4, 5, 5], [4, 6]]


def test_sides_follow_from_the_recipe_and_the_data(recipe_file: Path) -> None:
    task = recipe_of(recipe_file).task
    assert task.vocabulary.symbols == (*SPECIAL, "1", "2", "3")
    assert (task.geometry.source, task.geometry.target.symbols) == (SpectrogramSide(16, (2, 2)), 7)
    assert task.hearing.step_samples == 320
    assert task.record()["mel"] == {
        "frame_samples": 256,
        "hop_samples": 80,
        "bins": 16,
        "normalized": False,
        "form": "level",
    }
    assert task.record()["windows"] == {"seconds": 8.0, "overlap_seconds": 2.0}
    wave = recipe_of(recipe_file, *WAVE).task
    assert (wave.geometry.source, wave.hearing.step_samples) == (WaveSide((20, 8), (20, 8), 8), 160)
    assert "mel" not in wave.record()


def test_speakers_are_left_out_and_others_choose(recipe_file: Path, tmp_path: Path) -> None:
    def trained_and_dev(*changes: str) -> tuple[dict[str, int], dict[str, int]]:
        task = recipe_of(recipe_file, *changes).task
        return tuple(
            {who: names.count(who) for who in sorted(set(names))}
            for names in ([u.speaker for u in some] for some in (task._trained, task._own[1]))
        )

    assert trained_and_dev() == ({"tones/ann": 6, "tones/bob": 6}, {"tones/ann": 2, "tones/bob": 2})
    assert trained_and_dev("data.without=tones/ann") == ({"tones/bob": 6}, {"tones/bob": 2})
    assert trained_and_dev("data.dev=tones/ann") == ({"tones/bob": 8}, {"tones/ann": 8})
    assert trained_and_dev("data.split=train", "data.dev_every=7") == trained_and_dev(
        "data.split=train", "data.dev_every=7"
    )
    extra = write_tones(tmp_path / "extra", takes=3, digits="456")
    task = recipe_of(recipe_file, f"data.extra={extra}", "data.repeats=5").task
    assert task.vocabulary.symbols[4:] == ("1", "2", "3", "4", "5", "6")
    assert task.training_data(0, 1).round_items == 5 * 12 + 4  # two takes of each are of the split train
    with pytest.raises(UsageError) as caught:
        recipe_of(recipe_file, "data.dev_every=9").task.dev_data()
    assert str(caught.value) == "No speaker has 9 utterances, so that one could choose; lower data.dev_every."


@pytest.mark.parametrize("changes", [(), WAVE])
def test_it_learns_to_hear_and_ends_in_a_model(recipe_file: Path, tmp_path: Path, changes: tuple[str, ...]) -> None:
    pytest.importorskip("onnx")
    easy = [f"perturbing.{key}" for key in ("noise_probability=0", "equalise_db=0", "band_masks=0", "time_masks=0")]
    easy += [
        "perturbing.level_db=[-20,-20]",
        "perturbing.speed=[1,1]",
        "trainer.batch=8",
        "trainer.epochs=1",
        "trainer.parts=1",
    ]
    recipe, out = recipe_of(recipe_file, *easy, "data.epoch_utterances=160", *changes), tmp_path / "run"
    train(recipe, out, silent)
    best, (line,) = load(out / "best.pt"), read_log(out)
    assert best["dev_accuracy"] > -50
    assert {"dev_accuracy", "dev_decoder", "dev_ctc", "loss_ctc", "loss_decoder"} <= line.keys()
    assert line["dev_decoder"] == "" and line["dev_ctc"] == line["dev_accuracy"]  # CTC chooses
    assert best["vocabularies"] == {"source": [], "target": [*SPECIAL, "1", "2", "3"]}
    spec = export_run(recipe, out, tmp_path / "model")
    assert (spec.sample_rate, spec.windows, spec.vocabularies.target[4:]) == (8000, Windows(8.0, 2.0), ("1", "2", "3"))
    assert spec.mel == (None if changes else recipe.task.mel)
    check_start(
        recipe_of(recipe_file, *changes, f"trainer.init={tmp_path / 'model'}"), tmp_path / "model", best["model"]
    )


def test_a_run_in_pieces_is_as_one_that_was_never_stopped(recipe_file: Path, tmp_path: Path) -> None:
    check_pieces(recipe_file, tmp_path)


def test_a_dry_run_says_what_a_batch_is(recipe_file: Path) -> None:
    rows = rehearse(recipe_of(recipe_file)).rows
    assert rows["speech"].startswith("2 of at most ")
    assert rows["text"].endswith("symbols of 3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.kernels=[4,4]", "[model]: kernels are a waveform's; take them out."),
        ("model.dropout=1", "[model]: dropout must be below 1, got 1.0."),
        ("data.dev_every=1", "[data]: dev_every must be at least 2, got 1."),
        ("data.window_seconds=0", "[data]: window_seconds must be above 0, got 0.0."),
        ("loss.smoothing=1", "[loss]: smoothing must be below 1, got 1.0."),
        ("loss.ctc_weight=-1", "[loss]: ctc_weight must be at least 0, got -1.0."),
    ],
)
def test_mistakes_are_named(recipe_file: Path, change: str, message: str) -> None:
    assert refused(recipe_file, change) == message


def test_a_waveform_needs_kernels() -> None:
    with pytest.raises(ValueError, match="^kernels must be at least 1, got 0"):
        AudioTextModel(source="waveform", strides=(5, 4))


def test_a_model_of_other_symbols_gives_how_it_listens_and_not_how_it_writes(recipe_file: Path) -> None:
    task = recipe_of(recipe_file).task
    other = {name: torch.full_like(value, 0.5) for name, value in task.network().state_dict().items()}
    for name in [name for name in other if name.startswith(("back.", "ctc."))]:
        other[name] = torch.zeros(1)  # sizes of another vocabulary
    network = task.network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task.start(network, {"model": other, "vocabularies": {"source": [], "target": ["x"]}}, "old.pt")
    for name, value in network.state_dict().items():
        listens = name.startswith(("front.", "encoder."))
        assert torch.equal(value, other[name] if listens else before[name]), name


def test_a_model_that_listens_otherwise_is_refused(recipe_file: Path) -> None:
    task = recipe_of(recipe_file).task
    with pytest.raises(ModelError) as caught:
        task.start(task.network(), {"model": {}, "vocabularies": {"source": [], "target": ["x"]}}, "old.pt")
    assert str(caught.value) == (
        "trainer.init: old.pt is of another kind of model (encoder.layers.0.attention.in_proj.bias is in one of them "
        "only)."
    )
