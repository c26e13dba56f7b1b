"""The YAML file of a RoFormer, read as data: sizes, stems, chunks.

PyYAML writes tuples as `!!python/tuple`, which its safe loader refuses. Tuples of numbers are read here, as lists, and
no other Python object.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unbraid.errors import ModelError, quoted
from unbraid.files.plain_yaml import LOADER, read_yaml
from unbraid.hub.importers import settings as files
from unbraid.hub.importers.settings import Rules, Settings
from unbraid.hub.spec import Windows
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.roformer.published import BS_WIDTHS

RULES: Rules = {  # setting: (the peer's default, what our network has)
    "linear_transformer_depth": (0, 0),
    "use_shared_bias": (False, False),
    "use_pope": (False, False),
    "freq_range": (None, None),
    "mlp_hidden_layers": (None, None),
    "conformer": (False, False),
}
OPPOSITE = {"vocals": "instrumental"}  # names of the rest, where nothing else is said
NAMELESS = ("other", "rest", "residual")  # that say nothing of what a stem holds


class _TupleLoader(LOADER):  # type: ignore[misc,valid-type]
    """YAML's own types, and tuples of numbers."""


def _tuple(loader: yaml.SafeLoader, node: yaml.Node) -> list[float]:
    values: list[Any] = loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else [None]
    if not all(type(value) in (int, float) for value in values):
        raise yaml.constructor.ConstructorError(
            None, None, "a !!python/tuple of anything but numbers, which is not read", node.start_mark
        )
    return values


_TupleLoader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


@dataclass(frozen=True)
class RoformerSettings:
    """The sections of the file."""

    path: Path
    model: Settings
    audio: Settings
    training: Settings
    inference: Settings

    def check_network(self) -> None:
        """Refuse settings of another network.

        Raises:
            ModelError: naming the setting.
        """
        self.model.require(RULES)
        self.inference.require({"normalize": (False, False)})
        frame = self.model.positive("stft_n_fft", 2048)
        self.model.require({"stft_win_length": (frame, frame)})

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.audio.positive("sample_rate", self.model.positive("sample_rate", 44_100))


def read_settings(path: Path) -> RoformerSettings:
    """Read the file.

    Raises:
        ModelError: it cannot be read, holds Python objects, or has no section on the network.
    """
    root = files.read_settings(
        path,
        lambda path: read_yaml(path, _TupleLoader),
        "is not YAML that can be read as data",
        "is not a YAML mapping of names to settings",
    )
    if not isinstance(model := root.get("model"), dict):
        raise ModelError(f"{path} has no section 'model'; is it the YAML file of a RoFormer?")
    sections = (root.within(root.get(name)) for name in ("audio", "training", "inference"))
    return RoformerSettings(path, root.within(model), *sections)


def config_of(settings: RoformerSettings, *, has_final_norm: bool) -> RoformerConfig:
    """The sizes of the network; a checkpoint with a final norm is a BS-RoFormer, if the settings name no bands.

    Raises:
        ModelError: a setting is missing, or they describe no network of ours.
    """
    model = settings.model
    is_mel = model.get("num_bands") is not None
    if not is_mel and not has_final_norm and model.get("freqs_per_bands") is None:
        raise ModelError(
            f"{settings.path}: model has neither 'num_bands' (of a Mel-Band RoFormer) nor 'freqs_per_bands' (of a "
            "BS-RoFormer); add the one that the network was trained with."
        )
    features = _needed(settings, "dim")
    depth = model.positive("mask_estimator_depth", 1 if is_mel else 2)
    try:
        return RoformerConfig(
            stems=model.positive("num_stems", 1),
            channels=1 + model.flag("stereo", False),
            frame_samples=model.positive("stft_n_fft", 2048),
            hop_samples=model.positive("stft_hop_length", 512),
            mel_bands=model.positive("num_bands") if is_mel else 0,
            mel_rate=model.positive("sample_rate", 44_100) if is_mel else 0,
            widths=() if is_mel else model.positives("freqs_per_bands", BS_WIDTHS),
            features=features,
            blocks=_needed(settings, "depth"),
            time_layers=model.positive("time_transformer_depth", 2),
            band_layers=model.positive("freq_transformer_depth", 2),
            heads=model.positive("heads", 8),
            head_features=model.positive("dim_head", 64),
            hidden=features * model.positive("ff_mult", 4),
            mask_hidden=features * model.positive("mlp_expansion_factor", 4),
            mask_layers=depth if is_mel else depth - 1,
            block_norm=is_mel,
            final_norm=not is_mel,
            skips=model.flag("skip_connection", False),
            normalized=model.flag("stft_normalized", False),
            zero_dc=model.flag("zero_dc", False),
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network that can be imported: {error}") from None


def windows_of(settings: RoformerSettings, hop_samples: int) -> Windows:
    """The chunks that the published programs cut a song into.

    Raises:
        ModelError: no length is given, or it is no multiple of the hop, so that chunks would come back shorter.
    """
    size = settings.inference.get("chunk_size", settings.audio.get("chunk_size"))
    if size is None:
        raise ModelError(f"{settings.path}: neither audio nor inference has a 'chunk_size'; add it, in samples.")
    owner = settings.inference if settings.inference.get("chunk_size") is not None else settings.audio
    size, overlaps = owner.positive("chunk_size"), settings.inference.positive("num_overlap", 2)
    if size % hop_samples:
        raise ModelError(
            f"{settings.path}: chunk_size is {size}, which is no multiple of stft_hop_length, {hop_samples}; "
            f"use {size - size % hop_samples or hop_samples}."
        )
    try:
        return Windows(size / settings.sample_rate, (size - size // overlaps) / settings.sample_rate)
    except ValueError as error:
        raise ModelError(f"{settings.path}: chunk_size and num_overlap make no windows: {error}") from None


def stems_of(settings: RoformerSettings, count: int) -> tuple[tuple[str, ...], str]:
    """The stems in the order of the outputs, in small letters, and the name of what is left of a song.

    Raises:
        ModelError: there are not as many names as outputs.
    """
    names = settings.training.get("instruments")
    target = settings.training.get("target_instrument")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise settings.training.misfit("instruments", names, "the names of the stems, a list")
    if target is not None and not isinstance(target, str):
        raise settings.training.misfit("target_instrument", target, "the name of the stem")
    stems = tuple(name.lower() for name in (names if target is None else [target]))
    if len(stems) != count:
        raise ModelError(
            f"{settings.path}: num_stems is {count}, but training names {len(stems)} ({quoted(', '.join(stems))}); "
            "a network that can be imported has a name for each stem, or one stem and a target_instrument."
        )
    if count > 1:
        return stems, "residual"
    others = [name.lower() for name in names if name.lower() != stems[0]]
    named = others[0] if len(others) == 1 and others[0] not in NAMELESS else OPPOSITE.get(stems[0], "residual")
    return stems, named


def _needed(settings: RoformerSettings, key: str) -> int:
    """A size without a default."""
    value: Any = settings.model.get(key)
    if value is None:
        raise ModelError(f"{settings.path}: model has no {key!r}; add the value that the network was trained with.")
    return settings.model.positive(key)
