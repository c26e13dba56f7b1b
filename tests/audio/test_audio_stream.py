"""A stream of float WAV is read by everybody, arrives as it is written, and can be read back by us."""

import io
import struct

import av
import numpy as np
import pytest
import soundfile
from audio_signals import noise

from unbraid import audio


class Trickle(io.RawIOBase):
    """An unbuffered pipe that takes a little at a time."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        taken = bytes(data[:1001])
        self.data += taken
        return len(taken)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_streams_are_read_in_full_by_all(channels: int) -> None:
    signal = 2 * noise(channels, 5001)  # beyond full scale: floats are never scaled
    pipe = Trickle()
    with audio.StreamWriter(pipe, 44100, channels, tags={"title": "x"}) as writer:
        for start in range(0, 5001, 777):
            writer.write(signal[:, start : start + 777])
            assert len(pipe.data) >= 4 * channels * min(start + 777, 5001)  # nothing is held back
    assert (writer.frames, writer.peak) == (5001, np.abs(signal).max())
    assert not pipe.closed
    ours, rate = audio.read(io.BytesIO(pipe.data))
    theirs, _ = soundfile.read(io.BytesIO(pipe.data), dtype="float32", always_2d=True)
    with av.open(io.BytesIO(pipe.data)) as container:
        stream = container.streams.audio[0]
        ffmpeg = np.concatenate([frame.to_ndarray().reshape(-1, channels) for frame in container.decode(stream)])
    assert rate == 44100
    np.testing.assert_array_equal(ours, signal)
    np.testing.assert_array_equal(theirs.T, signal)
    np.testing.assert_array_equal(ffmpeg.T, signal)


def test_header_has_no_length() -> None:
    pipe = io.BytesIO()
    audio.StreamWriter(pipe, 8000, 1).close()
    data = pipe.getvalue()
    assert data[:4] == b"RIFF"
    assert data[-8:-4] == b"data"
    assert struct.unpack("<I", data[4:8]) == struct.unpack("<I", data[-4:]) == (0xFFFFFFFF,)


def test_a_reader_that_left_is_a_broken_pipe() -> None:
    class Gone(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data) -> int:  # type: ignore[no-untyped-def]
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        audio.StreamWriter(Gone(), 8000, 1)
