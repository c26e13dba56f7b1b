"""The JSON configuration of a Spleeter model: its stems, its spectrogram, its networks.

Models that users trained have theirs in the folder; those of the official models ship with Spleeter, and here.
Training settings are not looked at; a setting that would change the result and that we do not have is refused.
Source: deezer/spleeter 2.4.2, resources/*.json, model/__init__.py, model/functions/unet.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from unbraid.errors import ModelError, quoted
from unbraid.files.bounded import read_json
from unbraid.hub.spec import Spectral
from unbraid.models.unet.config import UNetConfig

SHIPPED_STEMS = {
    2: ("vocals", "accompaniment"),
    4: ("vocals", "drums", "bass", "other"),
    5: ("vocals", "piano", "drums", "bass", "other"),
}
FILTERS = (16, 32, 64, 128, 256, 512)
MULTIPLE = 2 ** len(FILTERS)  # of frames and bins: every level halves them
OUTPUTS: dict[str, Literal["sigmoid", "softmax"]] = {"unet.unet": "sigmoid", "unet.softmax_unet": "softmax"}
ACTIVATIONS: dict[str, Literal["leaky_relu", "relu", "elu"]] = {"LeakyReLU": "leaky_relu", "ReLU": "relu", "ELU": "elu"}
PARAMS = ("conv_activation", "deconv_activation", "conv_n_filters")


@dataclass(frozen=True)
class SpleeterConfig:
    """The values of a Spleeter configuration that matter for inference."""

    sample_rate: int
    stems: tuple[str, ...]
    geometry: UNetConfig
    spectral: Spectral


def shipped_config(stems: int, bins: int = 1024) -> SpleeterConfig:
    """The configuration of an official model; 1536 bins for the `-16kHz` variants."""
    elu = stems > 2
    geometry = UNetConfig(
        stems=stems,
        filters=FILTERS,
        encoder_activation="elu" if elu else "leaky_relu",
        decoder_activation="elu" if elu else "relu",
        output="softmax" if stems == 5 else "sigmoid",
    )
    return SpleeterConfig(44100, SHIPPED_STEMS[stems], geometry, Spectral(bins=bins))


def read_config(path: Path) -> SpleeterConfig:
    """Read a configuration file.

    Raises:
        ModelError: it is not JSON, lacks a setting, or has one that cannot be met; the setting is named.
    """
    try:
        data = read_json(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path} is not a Spleeter configuration: expected an object with settings.")
    stems = _stems(data, path)
    try:
        geometry, spectral = _geometry(data, len(stems), path), _spectral(data, path)
    except ValueError as error:
        raise ModelError(f"{path}: the settings describe no network: {error}") from None
    return SpleeterConfig(_whole(data, "sample_rate", path), stems, geometry, spectral)


def _value(data: dict[str, Any], key: str, path: Path) -> Any:
    if key not in data:
        raise ModelError(f"{path} is not a complete Spleeter configuration: {quoted(key)} is missing.")
    return data[key]


def _whole(data: dict[str, Any], key: str, path: Path) -> int:
    value = _value(data, key, path)
    if type(value) is not int or value < 1:
        raise ModelError(f"{path}: {key} is {quoted(value)}, expected a whole number above zero.")
    return value


def _choice(data: dict[str, Any], key: str, allowed: Any, default: Any, path: Path) -> Any:
    value = data.get(key, default)
    if not isinstance(value, str | int) or value not in allowed:
        raise ModelError(f"{path}: {key} is {quoted(value)}; supported: {', '.join(map(str, allowed))}.")
    return value


def _stems(data: dict[str, Any], path: Path) -> tuple[str, ...]:
    names = _value(data, "instrument_list", path)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ModelError(f"{path}: instrument_list is {quoted(names)}, expected a list of names.")
    if len(set(names)) < len(names):
        raise ModelError(f"{path}: instrument_list {quoted(names)} names an instrument twice.")
    return tuple(names)


def _spectral(data: dict[str, Any], path: Path) -> Spectral:
    frame, hop, frames, bins = (_whole(data, key, path) for key in ("frame_length", "frame_step", "T", "F"))
    if frame != 4 * hop:
        raise ModelError(f"{path}: frame_step is {hop}, expected a quarter of frame_length ({frame}).")
    if frames % MULTIPLE or bins % MULTIPLE or bins > frame // 2 + 1:
        raise ModelError(
            f"{path}: T is {frames} and F is {bins}, expected multiples of {MULTIPLE}, and no more than "
            f"{frame // 2 + 1} bins."
        )
    exponent = _value(data, "separation_exponent", path)
    if not isinstance(exponent, int | float) or isinstance(exponent, bool) or not 0 < exponent < float("inf"):
        raise ModelError(f"{path}: separation_exponent is {quoted(exponent)}, expected a number above zero.")
    extension = _choice(data, "mask_extension", ("zeros", "average"), None, path)
    return Spectral(frame, hop, frames, bins, float(exponent), extension)


def _geometry(data: dict[str, Any], stems: int, path: Path) -> UNetConfig:
    _choice(data, "n_channels", (2,), None, path)
    model = _value(data, "model", path)
    if not isinstance(model, dict) or not isinstance(params := model.get("params", {}), dict):
        raise ModelError(f"{path}: model is {quoted(model)}, expected an object with 'type' and 'params'.")
    output = OUTPUTS[_choice(model, "type", tuple(OUTPUTS), None, path)]
    if unknown := sorted(params.keys() - set(PARAMS)):
        raise ModelError(
            f"{path}: model parameter {quoted(unknown[0])} is not supported; supported: {', '.join(PARAMS)}."
        )
    filters = params.get("conv_n_filters", list(FILTERS))
    if (
        not isinstance(filters, list)
        or len(filters) != len(FILTERS)
        or not all(type(size) is int and size > 0 for size in filters)
    ):
        raise ModelError(
            f"{path}: conv_n_filters is {quoted(filters)}, expected {len(FILTERS)} whole numbers above zero."
        )
    return UNetConfig(
        stems=stems,
        channels=2,
        filters=tuple(filters),
        encoder_activation=ACTIVATIONS[_choice(params, "conv_activation", tuple(ACTIVATIONS), "LeakyReLU", path)],
        decoder_activation=ACTIVATIONS[_choice(params, "deconv_activation", tuple(ACTIVATIONS), "ReLU", path)],
        output=output,
    )
