"""Constant bit rates of LAME, the mp3 encoder inside libsndfile.

The sample rate determines the version of MPEG audio and the bit rates it has; LAME takes the nearest. At lower bit
rates its presets attenuate the audio (`scale`, up to 0.45 dB), which the encoder here compensates. If a frame has no
room for LAME's table, the table is left out, and with it the only statement of delay and length. Such bit rates are
refused, because the length would be lost.
"""

from typing import BinaryIO

_MPEG1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s, from 32 kHz on
_MPEG2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # from 16 kHz on; below only up to 64
_TABLE_BYTES = 156
_SIDE_BYTES = {(False, 1): 13, (False, 2): 21, (True, 1): 21, (True, 2): 36}  # (MPEG 1, channels): with the header


def coder_rates(sample_rate: int) -> tuple[int, ...]:
    """The bit rates there are, in kbit/s."""
    if sample_rate >= 32000:
        return _MPEG1
    return tuple(kbps for kbps in _MPEG2 if sample_rate >= 16000 or kbps <= 64)


def nearest_kbps(kbps: int, sample_rate: int) -> int:
    """The bit rate that LAME takes."""
    return min(coder_rates(sample_rate), key=lambda rate: abs(rate - kbps))


def least_kbps(sample_rate: int, channels: int) -> int:
    """The lowest bit rate whose frames can state the length of the file."""
    full = sample_rate >= 32000
    needed = _TABLE_BYTES + _SIDE_BYTES[full, channels]
    frame_bits = 1152000 if full else 576000  # per kbit/s and 1 Hz: 1152 or 576 samples
    return next(kbps for kbps in coder_rates(sample_rate) if frame_bits * kbps // (8 * sample_rate) >= needed)


def preset_scale(kbps: int) -> float:
    """The gain that LAME applies to the samples."""
    return {192: 0.97, 224: 0.98, 256: 1.0, 320: 1.0}.get(kbps, 0.95)


def frame_bytes(header: bytes) -> int | None:
    """The size of a layer III frame from its header of four bytes (ISO 11172-3, 2.4.2.3); None if it is invalid."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, rates = header[1] >> 3 & 3, _MPEG1 if header[1] & 8 else _MPEG2  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    number, rate = header[2] >> 4, (44100, 48000, 32000, 0)[header[2] >> 2 & 3] >> (2, 0, 1, 0)[version]
    if version == 1 or not 0 < number < 15 or not rate:
        return None
    return (144000 if version == 3 else 72000) * rates[number - 1] // rate + (header[2] >> 1 & 1)


def is_mp3(file: BinaryIO) -> bool:
    """Whether a file begins with a frame of MPEG audio, or with an ID3 tag."""
    start, frame = _first_frame(file)
    is_mpeg = start > 0 or (len(frame) > 3 and frame[0] == 0xFF and frame[1] & 0xE0 == 0xE0 and frame[1] & 0x06 != 0)
    return is_mpeg and frame[:4] != b"fLaC"  # some flac files carry an ID3 tag in front


def stated_packets(file: BinaryIO) -> int | None:
    """The number of frames according to the Xing or Info table in the first one; None without a table."""
    _, frame = _first_frame(file)
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark)
        if at >= 0 and len(frame) >= at + 12 and frame[at + 7] & 1:
            return int.from_bytes(frame[at + 8 : at + 12], "big") or None
    return None


def _first_frame(file: BinaryIO) -> tuple[int, bytes]:
    """The position of the first frame, after a tag, and its first bytes."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    file.seek(start)
    return start, file.read(4096)
