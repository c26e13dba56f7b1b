"""A spectrogram as a PNG of few colours: dark is quiet, bright is loud, the same for everybody who sees colours."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.pages.lane import LOWEST_HZ, decibels, top_hz

RANGE_DB = 80.0  # from the darkest to the brightest colour
LEVELS = 64  # colours in use: finer steps are not seen, and take more bytes
_COLOURS = ((7, 9, 20), (28, 20, 70), (76, 24, 112), (132, 36, 118), (190, 56, 102), (232, 96, 76), (250, 156, 72),
            (252, 214, 124), (253, 250, 214))  # fmt: skip


def scales(sample_rate: int) -> str:
    """The scales of pictures of signals at a rate, as a sentence."""
    return (
        f"Pictures: {LOWEST_HZ:.0f} Hz to {top_hz(sample_rate) / 1000:g} kHz on a logarithmic scale, all with one "
        f"scale of colours: {RANGE_DB:.0f} dB from the darkest to the brightest, which is the loudest spot of the "
        "mixture."
    )


def pooled(values: FloatArray, most: int, axis: int) -> FloatArray:
    """The means of neighbours along an axis, of as few as leave at most MOST."""
    size = values.shape[axis]
    first = np.arange(0, size, -(-size // most))
    sums = np.moveaxis(np.add.reduceat(values, first, axis), axis, -1)
    return np.moveaxis(sums / np.diff(first, append=size), -1, axis).astype(np.float32)


def colour_map() -> NDArray[np.uint8]:
    """(256, 4) uint8, alpha first: `LEVELS` colours between those of the table, lightness rising all the way."""
    places = np.linspace(0, len(_COLOURS) - 1, LEVELS)
    table = np.full((256, 4), 255, np.uint8)
    for channel, values in enumerate(zip(*_COLOURS, strict=True)):
        table[:LEVELS, channel + 1] = np.interp(places, range(len(_COLOURS)), values).round()
    return table


def picture(power: FloatArray, top_db: float) -> bytes:
    """Power (R, columns), lowest frequencies first, as PNG; `top_db` gets the brightest colour."""
    place = (decibels(power[::-1]) - top_db) / RANGE_DB + 1
    return png(np.clip(np.rint(place * (LEVELS - 1)), 0, LEVELS - 1).astype(np.uint8))


def png(indices: NDArray[np.uint8]) -> bytes:
    """Numbers of colours (height, width) uint8 as PNG."""
    import av

    coloured: Any = (np.ascontiguousarray(indices), colour_map())  # which PyAV takes, but does not say
    frame = av.VideoFrame.from_ndarray(coloured, format="pal8")
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = indices.shape
    encoder.pix_fmt, encoder.time_base = "pal8", Fraction(1)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
