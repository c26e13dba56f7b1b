"""What LAME, the mp3 encoder inside libsndfile, makes of a constant bit rate.

The sample rate decides the version of MPEG audio, and so which bit rates there are; LAME takes the nearest. At lower
ones its presets turn the sound down (`scale`, up to 0.45 dB), which the encoder here undoes. And where a frame has no
room for LAME's table of contents, it is left out, and with it the only statement of delay and length: such rates are
refused, for the length would not come back.
"""

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
    """What LAME multiplies the samples by."""
    return {192: 0.97, 224: 0.98, 256: 1.0, 320: 1.0}.get(kbps, 0.95)
