"""Constant bit rates of LAME, the mp3 encoder inside libsndfile.

The sample rate determines the version of MPEG audio and the bit rates it has; LAME takes the nearest. At lower bit
rates its presets attenuate the audio (`scale`, up to 0.45 dB), which the encoder here compensates. If a frame has no
room for LAME's table, the table is left out, and with it the only statement of delay and length. Such bit rates are
refused, because the length would be lost.
"""

from unbraid.audio.mpeg_frames import KBPS

_TABLE_BYTES = 156
_SIDE_BYTES = {(False, 1): 13, (False, 2): 21, (True, 1): 21, (True, 2): 36}  # (MPEG 1, channels): with the header


def coder_rates(sample_rate: int) -> tuple[int, ...]:
    """The bit rates there are, in kbit/s."""
    rates = KBPS[sample_rate >= 32000, 1]
    return tuple(kbps for kbps in rates if sample_rate >= 16000 or kbps <= 64)


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
