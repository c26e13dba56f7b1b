"""Conversion of callers' audio arrays to float32: anything with the array interface, and lists of numbers.

    as_audio(tensor)        # float32 (C, T), or an AudioError that says what is wrong and what to do

An object is read through `__array__`, the buffer protocol or DLPack, so that a tensor of PyTorch, JAX or TensorFlow on
the CPU needs none of them here. Integers are scaled by their type, as libsndfile scales them: int16 by 1/32768; the
zero of unsigned ones is in the middle. A 64-bit integer has no full scale that audio is stored with, and is refused.
"""

import numbers
import os
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from unbraid.audio.info import MOST_HERTZ, Audio
from unbraid.errors import AudioError, UsageError

LOUDEST = 1e9  # float32 has room for its square, and for sums of those; full scale is 1
MOST_CHANNELS = 32  # an array with more channels than this, and than samples, is the wrong way round
_INTERFACES = ("__array__", "__array_interface__", "__dlpack__")
_CPU_DEVICES = (1, 3)  # of DLPack: memory of the CPU, and the CPU's pinned for a GPU
_WIDEST_INTEGER = 4  # bytes
_DESCRIPTIONS = {
    "b": "true or false values", "c": "complex numbers", "U": "text", "S": "bytes", "O": "Python objects",
    "M": "dates", "m": "time spans", "V": "records",
}  # fmt: skip

ArrayLike = Any  # an object that `is_array` accepts


def is_array(recording: object) -> bool:
    """Whether this is an array, or a list of numbers, rather than a file."""
    if isinstance(recording, str | bytes | os.PathLike) or hasattr(recording, "read"):
        return False
    if isinstance(recording, list | tuple | memoryview | array):
        return True
    return not isinstance(recording, type) and any(hasattr(recording, name) for name in _INTERFACES)


def check_rate_given(call: str, recording: object, sample_rate: int | None) -> None:
    """Refuse an array without its sample rate, a file with one, and several files; `call` is the function's name."""
    if isinstance(recording, list | tuple) and any(isinstance(one, str | os.PathLike) for one in recording):
        raise UsageError(f"{call} takes one recording at a time; call it for each file in the list.")
    if is_array(recording) and sample_rate is None:
        raise UsageError(f"An array needs its sample rate: {call}(audio, sample_rate=44100).")
    is_file = isinstance(recording, str | os.PathLike) or hasattr(recording, "read")
    if is_file and sample_rate is not None:
        raise UsageError("A file has its own sample rate; sample_rate goes with an array.")


def checked_rate(sample_rate: float) -> int:
    """The sample rate as a whole number of Hz, or the reason why not.

    Raises:
        AudioError: the rate is not a whole number of Hz above 0.
    """
    number = isinstance(sample_rate, numbers.Real) and not isinstance(sample_rate, bool)
    if not number or not float(sample_rate).is_integer() or sample_rate < 1:
        raise AudioError(f"The sample rate must be a whole number of Hz above 0, got {sample_rate!r}.")
    if sample_rate > MOST_HERTZ:
        raise AudioError(f"The sample rate must be at most {MOST_HERTZ} Hz, got {sample_rate!r}.")
    return int(sample_rate)


def as_audio(audio: ArrayLike) -> Audio:
    """Audio as float32 (C, T); the same array where it is one already.

    Raises:
        AudioError: it is no array of real numbers (C, T), is empty, is on a GPU, or holds NaN or infinity.
    """
    found = numbers_of(audio, "Audio")
    if found.ndim != 2:
        mono = "put it in a list, [audio]" if isinstance(audio, list | tuple) else "use audio[None]"
        raise AudioError(f"Audio must be an array (channels, samples), got shape {found.shape}; for mono {mono}.")
    if 0 in found.shape:
        raise AudioError(f"Audio of shape {found.shape} is empty.")
    channels, samples = found.shape
    if channels > MOST_CHANNELS and channels > samples:
        raise AudioError(f"Audio of shape {found.shape} looks like (samples, channels); pass audio.T.")
    return _checked(found)


def excerpt_of(audio: Audio, sample_rate: int, start: float, seconds: float) -> Audio:
    """An excerpt of audio (C, T), with the same rules as an excerpt of a file.

    Raises:
        AudioError: the excerpt begins after the end.
    """
    first, length = round(start * sample_rate), audio.shape[1]
    if first >= length:
        raise AudioError(f"The array is {length / sample_rate:.3f} s long; there is nothing at the start of {start} s.")
    return audio[:, first : first + round(seconds * sample_rate)]


def numbers_of(values: ArrayLike, what: str) -> np.ndarray:
    """Values as an array of real numbers of any shape; integers as floating-point numbers from -1 to 1.

    Raises:
        AudioError: they are no such numbers; `what` is what the sentence calls them.
    """
    found = _as_array(values, what)
    if found.dtype.kind == "f":
        return found
    if found.dtype.kind not in "iu":
        kind = _DESCRIPTIONS.get(found.dtype.kind, "values")
        raise AudioError(f"{what} must be real numbers, not {kind} ({found.dtype}); give floats from -1 to 1.")
    if found.dtype.itemsize > _WIDEST_INTEGER:
        raise AudioError(
            f"{what} of type {found.dtype} has no known full scale: convert it to the type it was recorded in, such as "
            "int16, or scale it to floats from -1 to 1."
        )
    return scaled(found)


def scaled(integers: np.ndarray) -> np.ndarray:
    """Integers as float32 from -1 to 1, by the full scale of their type; the zero of unsigned ones is in the middle."""
    half = 2.0 ** (8 * integers.dtype.itemsize - 1)
    zero = half if integers.dtype.kind == "u" else 0.0
    return ((integers - zero) / half).astype(np.float32)


def _as_array(values: ArrayLike, what: str) -> np.ndarray:
    kind = type(values).__name__
    if isinstance(values, str | bytes | os.PathLike) or hasattr(values, "read"):
        raise AudioError(
            f"{what} must be an array (channels, samples), not {kind}; read files with unbraid.audio.read."
        )
    if (device := _device(values)) not in _CPU_DEVICES:
        raise AudioError(f"{what} is in the memory of another device; copy it to the CPU first: audio.cpu().")
    values = values.detach() if getattr(values, "requires_grad", False) else values
    try:
        by_dlpack = not hasattr(values, "__array__") and hasattr(values, "__dlpack__") and device is not None
        found = np.from_dlpack(values) if by_dlpack else np.asarray(values)
    except Exception as error:  # whatever a foreign object raises
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        rows = isinstance(values, Sequence) and "inhomogeneous" in str(error)
        told = "its rows differ in length" if rows else reason.rstrip(".")
        raise AudioError(
            f"{what} of type {kind} cannot be read as an array ({told}); give an array of floats (channels, samples)."
        ) from None
    if hasattr(values, "mask") and np.ma.is_masked(values):  # numpy.ma takes 15 ms to load
        raise AudioError(f"{what} has masked samples; fill them first, with audio.filled(0).")
    return found


def _device(values: ArrayLike) -> int | None:
    """The kind of device that holds an array, as DLPack counts them; of arrays that do not say, the CPU."""
    if not hasattr(values, "__dlpack_device__"):
        return _CPU_DEVICES[0]
    try:
        return int(values.__dlpack_device__()[0])
    except Exception:  # a type of number that DLPack lacks, or a tensor of no device
        return int(not getattr(values, "is_cuda", False))


def _checked(audio: np.ndarray) -> Audio:
    """Audio (C, T) as float32, without a sample that no recording holds."""
    finite = np.isfinite(audio)
    if not finite.all():
        sample = int(np.argmin(finite.all(axis=0)))
        channel = int(np.argmin(finite[:, sample]))
        value = "NaN" if np.isnan(audio[channel, sample]) else "an infinite value"
        raise AudioError(
            f"Audio holds {value} at sample {sample} of channel {channel}, counted from 0; repair it first."
        )
    with np.errstate(over="ignore"):  # a float64 too large for float32 is refused below
        audio = np.ascontiguousarray(audio, np.float32)
    if np.abs(audio).max() > LOUDEST:
        raise AudioError(f"Audio holds samples above {LOUDEST:g}, where full scale is 1; scale it down first.")
    return audio
