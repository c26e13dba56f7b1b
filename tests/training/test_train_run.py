"""Runs: what they leave, that a kill changes nothing, and what becomes of a recipe that changed meanwhile."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from train_helpers import STEPS, kill_at, load, read_log, recipe_of, same, silent

import unbraid
from unbraid.errors import Cancelled, ModelError, RuntimeUnavailable, UsageError
from unbraid.training import Standing, export_run, look, rehearse, train
from unbraid.training.checkpoints import Keeper, save_atomically
from unbraid.training.export import export_checkpoint
from unbraid.training.tasks.speech import Speech
from unbraid.training.warm_start import read_first


def test_a_run_leaves_checkpoints_best_weights_and_a_log(tmp_path: Path, recipe_file: Path) -> None:
    told: list[Standing] = []
    out = tmp_path / "run"
    start = train(recipe_of(recipe_file), out, told.append)
    assert (start.step, start.changes) == (0, ())
    assert sorted(path.name for path in out.iterdir()) == [
        "best.pt", "last.ckpt", "log.csv", "recipe.json", "tensorboard",
    ]  # fmt: skip
    log = read_log(out)
    assert [(line["step"], line["epoch"]) for line in log] == [("3", "0.5"), ("6", "1"), ("9", "1.5"), ("12", "2")]
    assert [bool(line["dev_si_sdri"]) for line in log] == [False, True, False, True]
    assert float(log[-1]["rate"]) == pytest.approx(1e-6, rel=0.01)
    best, last = load(out / "best.pt"), load(out / "last.ckpt")
    scores = [float(line["dev_si_sdri"]) for line in log if line["dev_si_sdri"]]
    assert best["dev_si_sdri"] == pytest.approx(max(scores), abs=1e-4)
    assert (best["sample_rate"], best["config"]["features"], best["level"]) == (8000, 8, "fitted")
    assert not best["silent_outputs"]
    assert scores[1] > scores[0]  # so that both are of the last step
    averaged = {f"model.{key}": value for key, value in best["model"].items()}
    same(averaged, last["state_dict"])
    assert any(not torch.equal(value, last["current_model_state"][key]) for key, value in averaged.items())
    assert [now.step for now in told if not now.part_over and not now.dev_batches] == list(range(1, STEPS + 1))
    assert [(now.step, now.dev_batches) for now in told if now.dev_batches] == [
        (6, (1, 2)), (6, (2, 2)), (12, (1, 2)), (12, (2, 2)),
    ]  # fmt: skip
    assert (told[-1].step, told[-1].steps, told[-1].skipped, told[-1].part_over) == (STEPS, STEPS, 0, True)


def test_of_equally_good_weights_those_that_learnt_for_longer_are_kept(tmp_path: Path, recipe_file: Path) -> None:
    train(recipe_of(recipe_file, "optimizer.rate=0.0"), tmp_path / "run", silent)
    first, second = (line["dev_si_sdri"] for line in read_log(tmp_path / "run") if line["dev_si_sdri"])
    assert first == second
    assert load(tmp_path / "run" / "best.pt")["step"] == STEPS


PLATEAU = 'schedule={kind="plateau",hold_epochs=0,patience=0}'
TWICE = ("data.epoch_mixtures=24", "trainer.accumulate=2")


@pytest.mark.parametrize(
    "changes",
    [
        ("data.workers=1", "optimizer.kind=muon"),
        ("data.dynamic=false", "data.train=dev", "trainer.ema=0.0", *TWICE, PLATEAU),
    ],
    ids=["dynamic", "fixed"],
)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, recipe_file: Path, changes) -> None:
    """SIGKILL in the middle of a part; the same command again; every number of the state is that of a straight run."""
    recipe = recipe_of(recipe_file, *changes)
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train(recipe, straight, silent)
    assert (recipe.steps, recipe.part_steps) == (STEPS, 3)
    kill_at(11, recipe_file, broken, *changes)
    assert train(recipe, broken, silent).step == 9
    for name in ("last.ckpt", "best.pt"):
        ours, theirs = load(broken / name), load(straight / name)
        for state in (ours, theirs):
            for key, value in state.get("callbacks", {}).items():
                if "Keeper" in key:
                    del value["minutes"]
        for part in ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers",
                     "callbacks", "system", "model", "dev_si_sdri", "Batches"):  # fmt: skip
            same(ours.get(part), theirs.get(part), part)
    logs = [[line | {"minutes": ""} for line in read_log(out)] for out in (straight, broken)]
    assert logs[0] == logs[1]


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path, recipe_file: Path) -> None:
    recipe, told = recipe_of(recipe_file, "trainer.epochs=1"), []
    train(recipe, tmp_path / "run", silent)
    before = load(tmp_path / "run" / "last.ckpt")
    assert train(recipe, tmp_path / "run", told.append).step == recipe.steps
    assert told == []
    same(before["state_dict"], load(tmp_path / "run" / "last.ckpt")["state_dict"])
    longer = recipe_of(recipe_file, "trainer.epochs=2")
    assert look(longer, tmp_path / "run").changes == ("trainer.epochs = 2 (was 1)",)
    train(longer, tmp_path / "run", told.append)
    assert told[0].step == recipe.steps + 1
    assert told[-1].step == STEPS


def test_a_run_stops_when_its_minutes_are_over_and_goes_on_later(tmp_path: Path, recipe_file: Path) -> None:
    out = tmp_path / "run"
    recipe, told = recipe_of(recipe_file, "trainer.max_minutes=1e-9"), list[Standing]()
    train(recipe, out, told.append)
    assert [(now.step, now.part_over, now.is_unscored) for now in told] == [(1, False, False), (1, True, False)]
    assert read_log(out) == []
    best = load(out / "best.pt")
    assert best["step"] == 1 and "dev_si_sdri" not in best
    start = train(recipe_of(recipe_file), out, silent)
    assert (start.step, start.changes) == (1, ("trainer.max_minutes = 0.0 (was 1e-09)",))
    assert [line["step"] for line in read_log(out)] == ["3", "6", "9", "12"]
    assert load(out / "best.pt")["dev_si_sdri"] == pytest.approx(best_of(out), abs=1e-4)


def best_of(out: Path) -> float:
    return max(float(line["dev_si_sdri"]) for line in read_log(out) if line["dev_si_sdri"])


def test_the_time_limit_ends_the_scoring_of_dev_as_well(tmp_path: Path, recipe_file: Path, monkeypatch) -> None:
    """The first item of dev takes until the time is over: the second is left out, and the epoch has no score."""
    items = list[int]()

    def slow(task: Speech, model: torch.nn.Module, batch: tuple) -> dict[str, torch.Tensor]:
        items.append(len(items))
        monkeypatch.setattr(Keeper, "_is_late", lambda _: True)
        return clean(task, model, batch)

    clean = Speech.scores
    monkeypatch.setattr(Speech, "scores", slow)
    monkeypatch.setattr(Keeper, "_is_late", lambda _: False)
    out, told = tmp_path / "run", list[Standing]()
    limited = recipe_of(recipe_file, "trainer.max_minutes=1")
    train(limited, out, told.append)
    assert (items, told[-1].step, told[-1].part_over, told[-1].is_unscored) == ([0], 6, True, False)
    assert [(line["step"], line["dev_si_sdri"]) for line in read_log(out)] == [("3", ""), ("6", "")]
    pytest.importorskip("onnx")
    spec = export_run(limited, out, tmp_path / "model")
    assert (spec.scores, "step 6 of 12" in spec.provenance) == ({}, True)
    monkeypatch.undo()
    train(recipe_of(recipe_file), out, silent)
    assert load(out / "best.pt")["dev_si_sdri"] == pytest.approx(best_of(out), abs=1e-4)


def test_without_any_score_the_latest_weights_are_kept(tmp_path: Path, recipe_file: Path, monkeypatch) -> None:
    """As where all targets of dev are silent."""
    monkeypatch.setattr(Speech, "scores", lambda *_: {"voices": torch.zeros(0)})
    told = list[Standing]()
    train(recipe_of(recipe_file), tmp_path / "run", told.append)
    assert [now.step for now in told if now.is_unscored] == [6, 12]
    best = load(tmp_path / "run" / "best.pt")
    assert best["step"] == STEPS and "dev_si_sdri" not in best


def test_values_that_make_a_run_another_one_are_refused(tmp_path: Path, recipe_file: Path) -> None:
    out = tmp_path / "run"
    train(recipe_of(recipe_file, "trainer.max_minutes=1e-9"), out, silent)
    for change, said in {
        "model.features=12": "model.features = 8, and 12",
        "trainer.seed=1": "trainer.seed = 0, and 1",
        "trainer.ema=0.0": "trainer.ema = 0.9, and 0.0",
        'schedule={kind="constant"}': "schedule.kind = cosine, and constant",
    }.items():
        with pytest.raises(UsageError) as caught:
            look(recipe_of(recipe_file, change), out)
        assert str(caught.value) == (
            f"The run in {out} has {said} cannot take it up; set it back, or choose another folder with --out."
        )
    with pytest.raises(UsageError, match="^.*run holds a run of tiny, not of other; choose another with --out.$"):
        train(recipe_of(recipe_file, "name=other"), out, silent)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, recipe_file: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="^.*mine is not empty and holds no run; choose another folder with --out.$"):
        train(recipe_of(recipe_file), tmp_path / "mine", silent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.folder=nowhere", "The data folder nowhere is not there; say where it is with data.folder=PATH."),
        ("data.train=evening", "manifest.csv has no recording of the split 'evening'"),
        ("data.dev=evening", "manifest.csv has no recording of the split 'evening'"),
        ("mixing.noise_probability=0.5 data.noise=nowhere", "The noise folder nowhere is not there; say where"),
        ("trainer.init=nowhere.pt", "nowhere.pt cannot be read as a torch checkpoint"),
    ],
)
def test_data_that_is_not_there_is_named(tmp_path: Path, recipe_file: Path, change: str, message: str) -> None:
    with pytest.raises((UsageError, ModelError)) as caught:
        train(recipe_of(recipe_file, *change.split()), tmp_path / "run", silent)
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_dev_needs_mixtures(tmp_path: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.training.tasks.speech.find_mixtures", lambda *_: [])
    with pytest.raises(UsageError, match="corpus has no dev mixtures: nothing is in its split dev.$"):
        train(recipe_of(recipe_file), tmp_path / "run", silent)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path: Path, recipe_file: Path) -> None:
    with pytest.raises(RuntimeUnavailable, match="^There is no GPU here that PyTorch can use; set trainer.acc.*=cpu.$"):
        train(recipe_of(recipe_file, "trainer.accelerator=gpu"), tmp_path / "run", silent)


def test_an_interrupted_run_says_so_and_keeps_its_checkpoint(tmp_path: Path, recipe_file: Path) -> None:
    import signal

    def interrupt(now: Standing) -> None:
        if now.step == 4:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Cancelled, match="^Training was interrupted.$"):
        train(recipe_of(recipe_file), tmp_path / "run", interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert look(recipe_of(recipe_file), tmp_path / "run").step == 3


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch) -> None:
    """The disk is full in the middle of a file."""
    save_atomically({"x": torch.ones(3)}, tmp_path / "last.ckpt")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_atomically({"x": torch.zeros(3)}, tmp_path / "last.ckpt")
    assert load(tmp_path / "last.ckpt")["x"].sum() == 3


def test_another_rate_counts_from_where_a_run_is_resumed(tmp_path: Path, recipe_file: Path) -> None:
    constant = ("schedule={kind='constant'}", "trainer.epochs=1")
    for kind in ("adamw", "muon"):
        out = tmp_path / kind
        train(recipe_of(recipe_file, *constant, f"optimizer.kind={kind}"), out, silent)
        slower = (*constant[:1], "trainer.epochs=2", f"optimizer.kind={kind}", "optimizer.rate=1e-5")
        train(recipe_of(recipe_file, *slower), out, silent)
        assert [float(line["rate"]) for line in read_log(out)] == [1e-3, 1e-3, 1e-5, 1e-5]


def test_the_best_weights_become_a_model_that_separates(tmp_path: Path, recipe_file: Path) -> None:
    pytest.importorskip("onnx")
    recipe, out = recipe_of(recipe_file), tmp_path / "run"
    with pytest.raises(
        ModelError, match="run has no best.pt: no epoch is over yet, or its dev score was not a number.$"
    ):
        export_run(recipe, out, tmp_path / "model")
    train(recipe, out, silent)
    spec = export_run(recipe, out, tmp_path / "model")
    assert spec.provenance == "trained by the recipe tiny on corpus (train), step 12 of 12."
    assert spec.scores == {"dev SI-SDRi (dB)": round(load(out / "best.pt")["dev_si_sdri"], 2)}
    mixture = np.random.default_rng(0).normal(0, 0.1, (1, 3001)).astype(np.float32)
    voices = unbraid.Separator(tmp_path / "model")(mixture, 8000)
    np.testing.assert_allclose(sum(voices.values()), mixture, atol=1e-5)
    by_hand = export_checkpoint(out / "best.pt", tmp_path / "again", name="tiny")  # `unbraid export RUN/best.pt`
    assert by_hand.files["model.safetensors"] == spec.files["model.safetensors"]
    with pytest.raises(UsageError, match="model exists; choose another place for --export, or use --overwrite.$"):
        export_run(recipe, out, tmp_path / "model")


def test_a_model_folder_can_be_gone_on_from(tmp_path: Path, recipe_file: Path) -> None:
    recipe = recipe_of(recipe_file)
    train(recipe, tmp_path / "run", silent)
    export_run(recipe, tmp_path / "run", tmp_path / "model")
    same(read_first(str(tmp_path / "model"))["model"], load(tmp_path / "run" / "best.pt")["model"])


def test_a_run_cannot_go_on_to_before_its_place(tmp_path: Path, recipe_file: Path) -> None:
    train(recipe_of(recipe_file), tmp_path / "run", silent)
    with pytest.raises(
        UsageError, match="run is at step 12, and trainer.epochs = 1 ends at step 6; set it higher, or "
    ):
        look(recipe_of(recipe_file, "trainer.epochs=1"), tmp_path / "run")


def test_a_run_needs_a_folder(tmp_path: Path, recipe_file: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(UsageError, match="run is a file, and a run needs a folder; choose another one with --out.$"):
        look(recipe_of(recipe_file), tmp_path / "run")


def test_a_dry_run_looks_at_the_first_weights(tmp_path: Path, recipe_file: Path) -> None:
    (tmp_path / "empty.pt").touch()
    with pytest.raises(ModelError, match="empty.pt cannot be read as a torch checkpoint"):
        rehearse(recipe_of(recipe_file, f"trainer.init={tmp_path / 'empty.pt'}"))
    with pytest.raises(ModelError, match="No model or folder is called 'nowhere'"):
        rehearse(recipe_of(recipe_file, "trainer.init=nowhere"))


def test_the_record_holds_every_value(tmp_path: Path, recipe_file: Path) -> None:
    train(recipe_of(recipe_file, "trainer.max_minutes=1e-9", "optimizer.clip=1"), tmp_path / "run", silent)
    record = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert (record["name"], record["model.family"], record["schedule.kind"]) == ("tiny", "sepformer", "cosine")
    assert (record["optimizer.clip"], record["mixing.speed"], record["model.stride_samples"]) == (1.0, [0.95, 1.05], 8)
