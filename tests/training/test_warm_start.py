"""Where songs' networks start from: stems by their names, in networks of their own or in a shared trunk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from train_helpers import load, recipe_of, silent

from unbraid.errors import ModelError
from unbraid.models.unet.config import UNetConfig
from unbraid.models.unet.network import UNets
from unbraid.training import train
from unbraid.training.warm_start import ancestors, nets_taken, read_first, trunk_taken

FILTERS = (2, 3, 4)


def nets(stems: int, trunk: str = "own", seed: int = 0, **sizes: Any) -> UNets:
    """A network whose norms and layers across all bins are not those of a fresh one either."""
    torch.manual_seed(seed)
    model = UNets(UNetConfig(**{"stems": stems, "filters": FILTERS, "trunk": trunk} | sizes))
    for name, value in model.state_dict().items():
        if value.dtype == torch.float32 and ("norm" in name or "widen" in name):
            value.uniform_(0.5, 1.5)
    return model.eval()


@torch.no_grad()
def heard(model: UNets) -> torch.Tensor:
    song = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(9))
    return model(song[:, : model.geometry.inputs])[0]  # (S, C, N, F)


def test_stems_are_matched_by_name_and_the_rest_by_the_rest() -> None:
    four = ("vocals", "drums", "bass", "other")
    assert ancestors(("bass", "piano", "vocals"), four) == [2, None, 0]
    assert ancestors(("vocals", "accompaniment"), four) == [0, 3]
    assert ancestors(("other", "drums"), ("vocals", "accompaniment")) == [1, None]
    assert ancestors(("other", "accompaniment"), ("accompaniment", "other")) == [1, 0]


def test_a_network_of_its_own_goes_with_its_stem() -> None:
    old, new = nets(3), nets(3, seed=1)
    fresh, given = heard(new), heard(old)
    new.load_state_dict(nets_taken(new.state_dict(), old.state_dict(), [2, None, 0], "best.pt"))
    assert heard(new)[0].equal(given[2])
    assert heard(new)[1].equal(fresh[1])
    assert heard(new)[2].equal(given[0])


@pytest.mark.parametrize("bins", [0, 16])
def test_a_shared_trunk_with_its_stems_in_another_order_hears_the_same(bins: int) -> None:
    old, new = nets(3, "shared", bins=bins), nets(3, "shared", seed=1, bins=bins)
    new.load_state_dict(trunk_taken(new.state_dict(), old.state_dict(), [2, 0, 1], 3, "best.pt"))
    torch.testing.assert_close(heard(new), heard(old)[[2, 0, 1]], atol=1e-6, rtol=0)


def test_a_shared_trunk_with_one_more_stem_goes_on_as_it_was_for_the_others() -> None:
    old, new = nets(2, "shared"), nets(3, "shared", seed=1)
    before = new.state_dict()["nets.0.last.weight"].clone()
    new.load_state_dict(trunk_taken(new.state_dict(), old.state_dict(), [0, None, 1], 3, "best.pt"))
    torch.testing.assert_close(heard(new)[[0, 2]], heard(old), atol=1e-6, rtol=0)
    assert new.state_dict()["nets.0.last.weight"][2:4].equal(before[2:4])  # planes of the second stem


@pytest.mark.parametrize("trunk", ["own", "shared"])
@pytest.mark.parametrize("more", [{"bins": 16}, {"side": True}, {"bins": 16, "side": True}])
def test_what_a_network_lacks_begins_as_nothing(trunk: str, more: dict[str, Any]) -> None:
    old, new = nets(3, trunk), UNets(UNetConfig(stems=2, filters=FILTERS, trunk=trunk, **more)).eval()
    if trunk == "own":
        new.load_state_dict(nets_taken(new.state_dict(), old.state_dict(), [2, 0], "best.pt"))
    else:
        new.load_state_dict(trunk_taken(new.state_dict(), old.state_dict(), [2, 0], 3, "best.pt"))
        two = nets(2, trunk)
        two.load_state_dict(trunk_taken(two.state_dict(), old.state_dict(), [2, 0], 3, "best.pt"))
    expected = heard(old)[[2, 0]] if trunk == "own" else heard(two)
    torch.testing.assert_close(heard(new), expected, atol=1e-6, rtol=0)


def test_what_cannot_be_taken_over_is_told() -> None:
    own, shared = nets(2).state_dict(), nets(2, "shared").state_dict()
    across = nets(2, "shared", bins=16).state_dict()
    other, deeper = nets(2, filters=(2, 3, 5)).state_dict(), nets(2, "shared", filters=(2, 3, 4, 5)).state_dict()
    takings = {
        "has none of the recipe's stems; leave trainer.init out.": lambda: nets_taken(own, own, [None, None], "x.pt"),
        "is of other sizes (nets.0.down.2.weight is (5, 3, 5, 5), not (4, 3, 5, 5)).": lambda: nets_taken(
            own, other, [0, 1], "x.pt"
        ),
        "is of other sizes (nets.0.up.2.weight is (4, 4, 5, 5), not (4, 1, 5, 5)).": lambda: nets_taken(
            own, shared, [0, None], "x.pt"
        ),
        "is of another kind of model (nets.1.down.0.bias is in one of them only).": lambda: trunk_taken(
            shared, own, [0, 1], 3, "x.pt"
        ),
        "is of another kind of model (nets.0.down.3.bias is in one of them only).": lambda: trunk_taken(
            shared, deeper, [0, 1], 3, "x.pt"
        ),
        "is of another kind of model (nets.0.down_across.0.norm.bias is in one of them only).": lambda: trunk_taken(
            shared, across, [0, 1], 3, "x.pt"
        ),
        "has a network for each stem, and the recipe's trunk is shared.": lambda: trunk_taken(
            shared, nets(1).state_dict(), [0, None], 3, "x.pt"
        ),
    }
    for message, taking in takings.items():
        with pytest.raises(ModelError) as caught:
            taking()
        assert str(caught.value) == f"trainer.init: x.pt {message}"


def test_training_goes_on_from_an_imported_checkpoint_of_spleeters(tmp_path: Path, songs_recipe_file: Path) -> None:
    """A checkpoint in the published layout becomes a folder, and the folder the start of a model of other stems."""
    pytest.importorskip("onnx")
    from published_writers import published_spleeter, seeded_weights, spleeter_config, write_spleeter

    from unbraid.hub.folder import write_model_folder
    from unbraid.hub.importers import read_checkpoint

    filters, stems = (2, 3, 4, 5, 6, 7), ("vocals", "bass", "other")
    sizes = UNetConfig(stems=3, filters=filters)
    weights = {name: 0.2 * value for name, value in seeded_weights(sizes).items()}
    weights |= {name: abs(value) + 0.5 for name, value in weights.items() if "running_var" in name}
    published = published_spleeter(weights, sizes)
    checkpoint = read_checkpoint(write_spleeter(tmp_path / "tf", published, spleeter_config(stems, sizes)), "theirs")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    given = read_first(str(tmp_path / "model"))["model"]
    changes = (
        f"trainer.init={tmp_path / 'model'}", "model.trunk=own", "model.output=sigmoid",
        f"model.filters={list(filters)}", "spectral.frames=64", "trainer.hold_norm=0.0", "trainer.ema=0.0",
        "trainer.epochs=1",
    )  # fmt: skip
    train(recipe_of(songs_recipe_file, *changes, "optimizer.rate=0.0"), tmp_path / "still", silent)
    kept = load(tmp_path / "still" / "best.pt")["model"]
    for new, old in ((0, 0), (2, 2)):  # vocals, other; drums are new
        for name in (name for name in given if name.startswith(f"nets.{old}.")):
            assert kept[name.replace(f"nets.{old}.", f"nets.{new}.")].equal(given[name]), name
    assert not kept["nets.1.down.0.weight"].equal(given["nets.1.down.0.weight"])
    train(recipe_of(songs_recipe_file, *changes), tmp_path / "tuned", silent)
    tuned = load(tmp_path / "tuned" / "last.ckpt")["state_dict"]
    assert not tuned["model.nets.0.last.weight"].equal(given["nets.0.last.weight"])
    assert tuned["model.nets.0.up_norm.0.running_var"].equal(given["nets.0.up_norm.0.running_var"])


def test_a_run_starts_from_another_one_and_from_its_folder(tmp_path: Path, songs_recipe_file: Path) -> None:
    pytest.importorskip("onnx")
    from unbraid.training import export_run

    once = recipe_of(songs_recipe_file, "trainer.epochs=1", "trainer.parts=1")
    train(once, tmp_path / "first", silent)
    export_run(once, tmp_path / "first", tmp_path / "model")
    given = load(tmp_path / "first" / "best.pt")["model"]
    for start in (tmp_path / "first" / "best.pt", tmp_path / "model"):
        changes = ("model.stems=2", 'data.stems=["accompaniment","vocals"]', f"trainer.init={start}")
        still = ("optimizer.rate=0.0", "trainer.hold_norm=0.0", "trainer.epochs=1", "trainer.ema=0.0")
        out = tmp_path / f"from-{start.name}"
        train(recipe_of(songs_recipe_file, *changes, *still), out, silent)
        taken = load(out / "best.pt")["model"]
        assert taken["nets.0.down.1.weight"].equal(given["nets.0.down.1.weight"])
        assert taken["nets.0.last.bias"].equal(given["nets.0.last.bias"][[4, 5, 0, 1]])


def test_a_start_without_stems_is_refused(tmp_path: Path, recipe_file: Path, songs_recipe_file: Path) -> None:
    train(recipe_of(recipe_file, "trainer.epochs=1"), tmp_path / "voices", silent)
    with pytest.raises(ModelError, match="best.pt does not name its stems; it is not of a model of songs.$"):
        init = f"trainer.init={tmp_path / 'voices' / 'best.pt'}"
        train(recipe_of(songs_recipe_file, init), tmp_path / "run", silent)
