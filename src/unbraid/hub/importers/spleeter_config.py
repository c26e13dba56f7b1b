"""The JSON configuration of a Spleeter model: its stems, its spectrogram, its networks.

Models that users trained have theirs in the folder; those of the official models ship with Spleeter, and here.
Training settings are not looked at; a setting that would change the result and that we do not have is refused.
Source: deezer/spleeter 2.4.2, resources/*.json, model/__init__.py, model/functions/unet.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from unbraid.errors import ModelError, quoted
from unbraid.hub.importers.settings import Settings, read_json
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
REQUIRED = ("instrument_list", "model", "frame_length", "frame_step", "T", "F", "separation_exponent", "sample_rate")
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
    settings = read_json(path, "is not a Spleeter configuration: expected an object with settings")
    for key in REQUIRED:
        if key not in settings.section:
            raise ModelError(f"{path} is not a complete Spleeter configuration: {quoted(key)} is missing.")
    stems = _stems(settings)
    try:
        geometry, spectral = _geometry(settings, len(stems)), _spectral(settings)
    except ValueError as error:
        raise ModelError(f"{path}: the settings describe no network: {error}") from None
    return SpleeterConfig(settings.positive("sample_rate"), stems, geometry, spectral)


def _choice(settings: Settings, key: str, allowed: Any, default: Any = None) -> Any:
    value = settings.get(key, default)
    if not isinstance(value, str | int) or value not in allowed:
        raise ModelError(f"{settings.path}: {key} is {quoted(value)}; supported: {', '.join(map(str, allowed))}.")
    return value


def _stems(settings: Settings) -> tuple[str, ...]:
    names = settings.get("instrument_list")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise settings.misfit("instrument_list", names, "a list of names")
    if len(set(names)) < len(names):
        raise ModelError(f"{settings.path}: instrument_list {quoted(names)} names an instrument twice.")
    return tuple(names)


def _spectral(settings: Settings) -> Spectral:
    frame, hop, frames, bins = map(settings.positive, ("frame_length", "frame_step", "T", "F"))
    if frame != 4 * hop:
        raise settings.misfit("frame_step", hop, f"a quarter of frame_length ({frame})")
    if frames % MULTIPLE or bins % MULTIPLE or bins > frame // 2 + 1:
        raise ModelError(
            f"{settings.path}: T is {frames} and F is {bins}, expected multiples of {MULTIPLE}, and no more than "
            f"{frame // 2 + 1} bins."
        )
    exponent = settings.get("separation_exponent")
    if not isinstance(exponent, int | float) or isinstance(exponent, bool) or not 0 < exponent < float("inf"):
        raise settings.misfit("separation_exponent", exponent, "a number above zero")
    extension = _choice(settings, "mask_extension", ("zeros", "average"))
    return Spectral(frame, hop, frames, bins, float(exponent), extension)


def _geometry(settings: Settings, stems: int) -> UNetConfig:
    _choice(settings, "n_channels", (2,))
    model = settings.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("params", {}), dict):
        raise settings.misfit("model", model, "an object with 'type' and 'params'")
    output = OUTPUTS[_choice(settings.within(model), "type", OUTPUTS)]
    params = settings.within(model.get("params"))
    if unknown := sorted(params.section.keys() - set(PARAMS)):
        raise ModelError(
            f"{settings.path}: model parameter {quoted(unknown[0])} is not supported; supported: {', '.join(PARAMS)}."
        )
    return UNetConfig(
        stems=stems,
        channels=2,
        filters=params.positives("conv_n_filters", FILTERS, len(FILTERS)),
        encoder_activation=ACTIVATIONS[_choice(params, "conv_activation", ACTIVATIONS, "LeakyReLU")],
        decoder_activation=ACTIVATIONS[_choice(params, "deconv_activation", ACTIVATIONS, "ReLU")],
        output=output,
    )
