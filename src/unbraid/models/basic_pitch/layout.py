"""The weights file and the graph of a Basic Pitch network: tensors, inputs and outputs, operators."""

from unbraid.models.basic_pitch.config import BINS_PER_OCTAVE, HARMONIC_BINS, KERNELS, BasicPitchConfig
from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes
from unbraid.models.signatures import Signature

OPERATORS = COMMON | {"Gather", "Log", "Max", "Pad", "ReduceMax", "ReduceMin", "Relu", "Sigmoid", "Squeeze", "Sub"}


def tensor_shapes(g: BasicPitchConfig) -> Shapes:
    """Name and shape of every weight."""
    channels = {
        "contour": (g.contour_channels, len(HARMONIC_BINS)),
        "contour_out": (1, g.contour_channels),
        "note": (g.note_channels, 1),
        "note_out": (1, g.note_channels),
        "onset": (g.onset_channels, len(HARMONIC_BINS)),
        "onset_out": (1, 1 + g.onset_channels),
    }
    shapes: Shapes = {
        "cqt.real": (BINS_PER_OCTAVE, 1, g.kernel_samples),
        "cqt.imaginary": (BINS_PER_OCTAVE, 1, g.kernel_samples),
        "cqt.lowpass": (1, 1, g.kernel_samples),
        "cqt.scale": (g.bins, 1),
        "norm.weight": (1,),
        "norm.bias": (1,),
    }
    for name, (outputs, inputs) in channels.items():
        shapes |= {f"{name}.weight": (outputs, inputs, *KERNELS[name]), f"{name}.bias": (outputs,)}
    return shapes


def signature(g: BasicPitchConfig, part: str = "model") -> Signature:
    """Windows of audio in; for each frame and pitch the activations of notes and of their onsets, 0 to 1, out."""
    frames: list[str | int] = ["B", g.frames, g.pitches]
    return Signature({"audio": ["B", g.window_samples]}, {"notes": frames, "onsets": list(frames)})
