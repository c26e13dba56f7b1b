"""What a model is, as data: the spec.json of a model folder.

A frozen dataclass that travels with the weights. The reader is strict: an unknown key, a missing one or a value
of the wrong kind is a `SpecError`, never a silent default.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unbraid.errors import SpecError
from unbraid.geometry import AudioTransformerGeometry, Geometry, SepFormerGeometry, UNetGeometry
from unbraid.vocabulary import Vocabulary

FORMAT = 1
Family = Literal["sepformer", "unet", "audio_transformer"]
Level = Literal["fitted", "own"]
_FAMILIES: dict[type[Geometry], Family] = {
    SepFormerGeometry: "sepformer",
    UNetGeometry: "unet",
    AudioTransformerGeometry: "audio_transformer",
}
_NEEDED: dict[Family, str] = {"sepformer": "windows", "unet": "spectral", "audio_transformer": "vocabularies"}


@dataclass(frozen=True)
class Spectral:
    """The spectrogram a U-Net sees, and what its masks mean (Spleeter's front end)."""

    frame_samples: int = 4096
    hop_samples: int = 1024
    frames: int = 512  # T: the network sees segments of this many frames
    bins: int = 1024  # F: bins from 0 Hz that the network sees
    exponent: float = 2.0  # of the ratio masks
    extension: Literal["zeros", "average"] = "zeros"  # masks above the last bin, in the published system


@dataclass(frozen=True)
class Windows:
    """How long audio is cut for a network that sees a whole window at once."""

    seconds: float = 12.0
    overlap_seconds: float = 3.0


@dataclass(frozen=True)
class Vocabularies:
    """The symbols of a Transformer's texts, special ones included, in the order of the rows of its embeddings.

    Raises:
        ValueError: one of them is no vocabulary.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]

    def __post_init__(self) -> None:
        for symbols in (self.source, self.target):
            Vocabulary(symbols)


@dataclass(frozen=True)
class ModelSpec:
    """Everything a run needs to know about a model, but for its weights."""

    name: str
    family: Family
    sample_rate: int  # Hz; 0 where there is no audio
    channels: int  # that the network takes: 1 or 2; 0 where there is no audio
    stems: tuple[str, ...]  # in the order of the network's outputs; none where nothing is pulled apart
    geometry: Geometry
    licence: str
    provenance: str  # where the weights come from, in one sentence
    spectral: Spectral | None = None  # U-Nets
    windows: Windows | None = None  # SepFormers
    vocabularies: Vocabularies | None = None  # audio Transformers
    level: Level = "fitted"  # of a SepFormer's outputs: to the mixture, or their own where training gave them one
    scores: dict[str, float] = field(default_factory=dict)  # "SI-SDRi dB, test_mix2": 5.1
    files: dict[str, str] = field(default_factory=dict)  # name: sha256
    format: int = FORMAT

    def __post_init__(self) -> None:
        if family_of(self.geometry) != self.family:
            raise SpecError(f"{self.name}: the geometry is not that of the family {self.family}.")
        given = [key for key in _NEEDED.values() if getattr(self, key) is not None]
        if given != [_NEEDED[self.family]]:
            needs = ", ".join(f"{family} needs {key!r}" for family, key in _NEEDED.items())
            raise SpecError(
                f"{self.name}: {needs}, and none has another's; found {', '.join(given) or 'none of them'}."
            )
        if isinstance(self.geometry, AudioTransformerGeometry):
            self._check_text(self.geometry)
        else:
            self._check_audio(self.geometry)

    def _check_audio(self, geometry: SepFormerGeometry | UNetGeometry) -> None:
        if isinstance(geometry, SepFormerGeometry):
            outputs, channels = geometry.sources, 1
        else:
            outputs, channels = geometry.stems, geometry.channels
        if outputs != len(self.stems):
            raise SpecError(f"{self.name}: the network has {outputs} outputs, but {len(self.stems)} stems are named.")
        if self.sample_rate < 1:
            raise SpecError(f"{self.name}: the sample rate must be above 0 Hz, got {self.sample_rate}.")
        if self.channels != channels:
            raise SpecError(f"{self.name}: its network takes {channels} channels, not {self.channels}.")
        if len({*self.stems, "residual"}) <= len(self.stems):
            raise SpecError(f"{self.name}: stems must differ, and none is called 'residual'; got {self.stems}.")

    def _check_text(self, geometry: AudioTransformerGeometry) -> None:
        assert self.vocabularies is not None
        for side in ("source", "target"):
            rows, symbols = getattr(geometry, side).symbols, getattr(self.vocabularies, side)
            if rows != len(symbols):
                raise SpecError(f"{self.name}: the network's {side} has {rows} symbols, its vocabulary {len(symbols)}.")
        if (self.sample_rate, self.channels, self.stems) != (0, 0, ()):
            raise SpecError(f"{self.name}: text has no sample rate, no channels and no stems; write 0, 0 and [].")

    def to_json(self) -> str:
        """The text of spec.json."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


def family_of(geometry: Geometry) -> Family:
    """The family whose networks have such sizes."""
    return _FAMILIES[type(geometry)]


def read_spec(folder: Path) -> ModelSpec:
    """Read and check FOLDER/spec.json.

    Raises:
        SpecError: the file is missing, is not JSON, or has unknown, missing or ill-typed keys.
    """
    path = folder / "spec.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{folder} is not a model folder: it has no spec.json.") from None
    except (ValueError, OSError) as error:
        raise SpecError(f"{path} cannot be read: {error}.") from None
    return parse_spec(data, str(path))


def parse_spec(data: Any, where: str) -> ModelSpec:
    """Build a ModelSpec from the parsed JSON, naming the place of anything that does not fit."""
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise SpecError(f"{where}: format {data.get('format')!r} is not {FORMAT}; install a newer unbraid.")
    if isinstance(data, dict) and data.get("family") not in typing.get_args(Family):
        raise SpecError(f"{where}: family {data.get('family')!r} is not one of {', '.join(typing.get_args(Family))}.")
    spec: ModelSpec = _build(ModelSpec, data, where)
    return spec


def _build(kind: Any, value: Any, where: str) -> Any:
    """Turn parsed JSON into `kind`: a dataclass, tuple, dict, literal, union or plain type."""
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _build(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, types.NoneType) and type(value) is kind:
        return value
    expected = f"one of {arguments}" if origin is Literal else getattr(kind, "__name__", str(kind))
    raise SpecError(f"{where}: {value!r} is not {expected}.")


def _geometry_of(item: Any) -> type[Geometry]:
    """The geometry that an object with these keys means."""
    keys = item.keys() if isinstance(item, dict) else ()
    if "source" in keys:
        return AudioTransformerGeometry
    return SepFormerGeometry if "features" in keys else UNetGeometry


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise SpecError(f"{where}: expected an object with the fields of {kind.__name__}, found {value!r}.")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    if unknown := sorted(value.keys() - fields.keys()):
        raise SpecError(f"{where}: unknown key {unknown[0]!r}; allowed are {', '.join(fields)}.")
    required = {n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING}
    if missing := sorted(required - value.keys()):
        raise SpecError(f"{where}: key {missing[0]!r} is missing.")
    built = {}
    for name, item in value.items():
        hint = hints[name]
        if name == "geometry":
            hint = _geometry_of(item)
        elif typing.get_origin(hint) is types.UnionType:  # `X | None`
            hint = types.NoneType if item is None else typing.get_args(hint)[0]
        built[name] = _build(hint, item, f"{where}: {name}")
    try:
        return kind(**built)
    except ValueError as error:
        raise SpecError(f"{where}: {error}") from None
