"""Small files of every kind, the tags that programs put around them, and what must be read out of them."""

import io
import struct
from pathlib import Path

import numpy as np
import soundfile

from unbraid import audio
from unbraid.audio import ReadOptions

RATE = 8000
KINDS = {  # {name: (libsndfile's format, coding)}
    "wav": ("WAV", "PCM_16"),
    "wavex": ("WAVEX", "PCM_24"),
    "float": ("WAV", "FLOAT"),
    "ima": ("WAV", "IMA_ADPCM"),
    "ulaw": ("WAV", "ULAW"),
    "gsm": ("WAV", "GSM610"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "aifc": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
PLAIN = ("wav", "wavex", "float", "rf64", "w64", "aiff", "aifc", "au", "caf")  # headers of chunks, samples as they are


def signal(frames: int, seed: int = 0, channels: int = 1) -> np.ndarray:
    """Noise of 16 bits, so that every plain coding holds it: (C, T)."""
    integers = np.random.default_rng(seed).integers(-9000, 9000, (channels, frames))
    return (integers / 32768).astype(np.float32)


def encoded(kind: str, samples: np.ndarray, rate: int = RATE) -> bytes:
    """A file of this kind."""
    file = io.BytesIO()
    form, coding = KINDS[kind]
    soundfile.write(file, samples.T, rate, format=form, subtype=coding)
    return file.getvalue()


def muxed(container: str, codec: str, samples: np.ndarray, rate: int = RATE, **options: str) -> bytes:
    """A file that FFmpeg wrote."""
    import av

    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}[samples.shape[0]]
    with av.open(file, "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, options={"strict": "-2"})
        stream.bit_rate = 64000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def id3v2(body: int = 200, *, footer: bool = False) -> bytes:
    """A tag in front: zeros, which are padding."""
    size = bytes((body >> shift) & 0x7F for shift in (21, 14, 7, 0))
    head = b"\4\0" + bytes([0x10 * footer]) + size
    return b"ID3" + head + bytes(body) + (b"3DI" + head if footer else b"")


ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
LYRICS3 = b"LYRICSBEGIN" + b"IND0000200" + b"000021LYRICS200"


def ape(body: int = 300) -> bytes:
    """An APE tag with its header, as behind music."""
    return b"".join(
        b"APETAGEX" + struct.pack("<IIII8x", 2000, body + 32, 0, flags) + (bytes(body) if is_header else b"")
        for flags, is_header in ((0xA0000000, True), (0x80000000, False))
    )


def check(
    path: Path, data: bytes, expected: np.ndarray, rate: int = RATE, reading: ReadOptions = ReadOptions()
) -> tuple[str, ...]:
    """The file is read as these samples: whole, in blocks, in ranges, by path and from memory. Gives its notices."""
    path.write_bytes(data)
    for source in (path, io.BytesIO(data)):
        with audio.Reader(source, audio.Excerpt(reading=reading)) as reader:
            assert reader.info.sample_rate == rate
            whole = reader.read()
            assert whole.shape == expected.shape, (whole.shape, expected.shape)
            np.testing.assert_array_equal(whole, expected)
            assert reader.frames in (None, expected.shape[1])
            np.testing.assert_array_equal(np.concatenate(list(reader.blocks(777)), axis=1), expected)
            notices = reader.notices
    length = expected.shape[1]
    for start in (length // 3, length // 2 - 5, length // 2, length - 3):
        part, _ = audio.read(path, audio.Excerpt(start=start / rate, duration=(length // 4) / rate, reading=reading))
        np.testing.assert_allclose(part, expected[:, start : start + length // 4], atol=3e-7)
    return notices
