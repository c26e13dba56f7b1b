"""TIGERs as their authors publish them on the Hugging Face hub, read without torch.

A published model is `config.json`, the arguments of the network, and `model.safetensors`. TIGER-DnR has a network for
each stem (`dialog`, `music`, `effect`), and each takes one of its network's three outputs. All names and shapes of
tensors are checked both ways, also those of a layer that leads to no output, which is left out. Source:
github.com/JusperLee/TIGER, look2hear/models/tiger.py and tiger_dnr.py.
"""

from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers import settings
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.settings import Settings
from unbraid.hub.importers.tiger_names import published_shapes, renamed
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.tensors import compare_shapes, read_weights, shapes_of
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.tiger.layout import prefix
from unbraid.models.tiger.published import FILMS, VOICES, widths_of

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FILES = f"{CONFIG} and {WEIGHTS} of the hub"
NAMED = ("upsampling_depth", "att_n_head", "win")  # arguments that other published networks do not have together
STEMS = {"dialogue": ("dialog", 2), "music": ("music", 0), "effects": ("effect", 1)}  # ours: its network and output
VOICE_WINDOWS = Windows(6.0, 1.5)
FILM_WINDOWS = Windows(12.0, 8.0)


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder has a config.json with the arguments of a TIGER."""
    try:
        given = settings.read_json(folder / CONFIG)
    except ModelError:
        return False
    return all(given.get(name) is not None for name in NAMED)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a folder with the two files of a TIGER.

    Raises:
        ModelError: a file is missing or damaged, the network is another one, or a tensor does not fit.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(f"{folder} has no {WEIGHTS}; a TIGER that can be imported is {FILES}.")
    given, found = settings.read_json(folder / CONFIG), read_weights(path)
    of_films = any(tensor.startswith("dialog.") for tensor in found)
    config, rate = config_of(given, of_films=of_films)
    networks = [f"{network}." for network, _ in STEMS.values()] if of_films else [""]
    expected = {f"{theirs}{tensor}": shape for theirs in networks for tensor, shape in published_shapes(config).items()}
    compare_shapes(shapes_of(found), expected, str(path))
    tensors: dict[str, np.ndarray] = {}
    for part, theirs in zip(config.graphs, networks, strict=True):
        own = {t: as_weight(found[f"{theirs}{t}"], f"{theirs}{t}", str(path)) for t in published_shapes(config)}
        tensors |= {f"{prefix(config, part)}{ours}": value for ours, value in renamed(config, own).items()}
    stems = tuple(STEMS) if of_films else tuple(f"voice{k + 1}" for k in range(config.sources))
    spec = ModelSpec(
        name=name,
        family="tiger",
        sample_rate=rate,
        channels=1,
        stems=stems,
        geometry=config,
        licence="as stated by its publisher",
        provenance=f"A TIGER, imported from {WEIGHTS} with {CONFIG}.",
        windows=FILM_WINDOWS if of_films else VOICE_WINDOWS,
        level="own",
    )
    return Checkpoint({ours: tensors[ours] for ours in tensor_shapes(config)}, spec)


def config_of(given: Settings, *, of_films: bool) -> tuple[TigerConfig, int]:
    """The sizes of a network, and its sample rate.

    Raises:
        ModelError: an argument is missing or no size, or together they describe no network that can be imported.
    """
    rate, frame = given.positive("sample_rate"), given.positive("win")
    sources = given.positive("num_sources")
    if of_films and sources != len(STEMS):
        raise ModelError(f"{given.path}: num_sources is {sources}; a network for films that can be imported has 3.")
    try:
        config = TigerConfig(
            sources=sources,
            chosen=tuple(output for _, output in STEMS.values()) if of_films else (),
            frame_samples=frame,
            hop_samples=given.positive("stride"),
            widths=widths_of(FILMS if of_films else VOICES, frame, rate),
            features=given.positive("out_channels"),
            hidden=given.positive("in_channels"),
            iterations=given.positive("num_blocks"),
            levels=given.positive("upsampling_depth"),
            heads=given.positive("att_n_head"),
            query_features=given.positive("att_hid_chan"),
        )
    except ValueError as error:
        raise ModelError(f"{given.path}: the arguments describe no network that can be imported: {error}") from None
    return config, rate
