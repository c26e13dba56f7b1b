"""Output formats, their limits, and the choice of one for a request.

A format that cannot hold a rate or a channel count is refused before any work, naming those that can. Limits are
those of the codecs: libFLAC's streamable rates, LAME's MPEG tables, Opus' five rates, AAC's rate table; and of
FFmpeg's Opus encoder, which puts 5 and 7 channels in the wrong order.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from unbraid.audio import mp3
from unbraid.audio.info import AudioInfo
from unbraid.errors import AudioError, UsageError


@dataclass(frozen=True)
class OutputFormat:
    """A container with its coding, ready for `open_writer`."""

    name: str  # a key of LIMITS, and the file extension
    subtype: str | None  # "16", "24", "32f"; None for lossy formats
    bitrate: int | None = None  # kbit/s of the whole file; None: high quality by channel count

    @property
    def lossy(self) -> bool:
        """Whether the coding is lossy, without a bit depth."""
        return self.subtype is None

    def kbps(self, channels: int) -> int:
        """The bit rate of a lossy format, in kbit/s."""
        return self.bitrate or _limits(self.name).bitrate_per_channel * channels

    @property
    def words(self) -> str:
        """The format for people: wav in 24 bit, or mp3."""
        depth = "32-bit float" if self.subtype == "32f" else f"{self.subtype} bit"
        return self.name if self.lossy else f"{self.name} in {depth}"

    @property
    def clips(self) -> bool:
        """Whether samples beyond ±1 are cut off; only float files hold them."""
        return self.subtype != "32f"


@dataclass(frozen=True)
class Limits:
    """The limits of a format."""

    rates: tuple[range, ...]  # Hz
    channels: range | tuple[int, ...]
    subtypes: tuple[str, ...] = ()  # none: lossy
    bitrates: range | None = None  # kbit/s
    bitrate_per_channel: int = 0  # kbit/s by default


def _only(*rates: int) -> tuple[range, ...]:
    return tuple(range(rate, rate + 1) for rate in rates)


_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
LIMITS = {
    "wav": Limits((range(1, 1 << 31),), range(1, 1025), ("16", "24", "32f")),
    "flac": Limits((range(1, 65536), range(65540, 655351, 10)), range(1, 9), ("16", "24")),
    "ogg": Limits((range(8000, 192001),), range(1, 9), (), range(32, 1025), 160),
    "opus": Limits(_only(8000, 12000, 16000, 24000, 48000), (1, 2, 3, 4, 6, 8), (), range(6, 2049), 128),
    "mp3": Limits(_only(*_MP3_RATES), range(1, 3), (), range(8, 321), 160),
    "m4a": Limits(_only(7350, *_MP3_RATES, 64000, 88200, 96000), range(1, 7), (), range(16, 3073), 128),
}
STEM_FILE = "stem.m4a"  # all stems in one file (see `stem_file`), which `separate` writes; of mono in stereo
_STEM_FILE_LIMITS = Limits(_only(44100, 48000), range(1, 3), (), range(32, 513), 128)


def choose_format(
    name: str, source: AudioInfo | None = None, *, subtype: str | None = None, bitrate: int | None = None
) -> OutputFormat:
    """The format of that name or extension, at the source's bit depth unless a subtype is given.

    8 bits and lossy sources become 16, float and 32-bit sources 32f; formats without 32f take 24. Rounding to 16 bits
    makes noise at -101 dB of full scale, far below that of lossy coding.

    Raises:
        UsageError: the format, bit depth or bit rate is not available.
    """
    name = name.removeprefix(".").lower()
    if name not in LIMITS:
        raise UsageError(f"There is no output format {name!r}; choose {_either(LIMITS)}.")
    limits = LIMITS[name]
    _check_coding(name, limits, subtype, bitrate)
    if not limits.subtypes:
        return OutputFormat(name, None, bitrate)
    return OutputFormat(name, subtype or _depth(source, limits.subtypes))


def stem_file_format(*, subtype: str | None = None, bitrate: int | None = None) -> OutputFormat:
    """The format of a file with all stems; the bit rate is that of each track.

    Raises:
        UsageError: the bit depth or bit rate is not available.
    """
    _check_coding(STEM_FILE, _STEM_FILE_LIMITS, subtype, bitrate)
    return OutputFormat(STEM_FILE, None, bitrate)


def _limits(name: str) -> Limits:
    return _STEM_FILE_LIMITS if name == STEM_FILE else LIMITS[name]


def _check_coding(name: str, limits: Limits, subtype: str | None, bitrate: int | None) -> None:
    """Refuse a bit depth or a bit rate that a format has not."""
    if subtype is not None and subtype not in limits.subtypes:
        allowed = f"choose {_either(limits.subtypes)}" if limits.subtypes else "it is a lossy format and has none"
        raise UsageError(f"There is no subtype {subtype!r} in {name}; {allowed}.")
    if bitrate is not None and (limits.bitrates is None or bitrate not in limits.bitrates):
        allowed = f"choose {limits.bitrates[0]} to {limits.bitrates[-1]}" if limits.bitrates else "it is lossless"
        raise UsageError(f"A bit rate of {bitrate} kbit/s is not possible in {name}; {allowed}.")


def _depth(source: AudioInfo | None, subtypes: tuple[str, ...]) -> str:
    if source is not None and source.lossy:
        return "16"
    if source is not None and source.bits is not None and not source.is_float and source.bits <= 24:
        return "16" if source.bits <= 16 else "24"
    return subtypes[-1]


def check_format(fmt: OutputFormat, sample_rate: int, channels: int) -> None:
    """Refuse a rate or channel count that the format cannot hold, naming formats that can."""
    others = f"Write {_either(formats_for(sample_rate, channels))} instead"
    limits = _limits(fmt.name)
    if channels not in limits.channels:
        many = limits.channels
        held = f"at most {many[-1]}" if isinstance(many, range) else _either(map(str, many))
        raise AudioError(f"{fmt.name} holds {held} channels, not {channels}. {others}.")
    if not _holds_rate(limits, sample_rate):
        near = nearest_rate(fmt.name, sample_rate)
        raise AudioError(f"{fmt.name} cannot hold {sample_rate} Hz. {others}, or resample to {near} Hz (--resample).")
    if fmt.name == "mp3" and fmt.bitrate is not None:
        _check_mp3(fmt.bitrate, sample_rate, channels)


def _check_mp3(bitrate: int, sample_rate: int, channels: int) -> None:
    least = mp3.least_kbps(sample_rate, channels)
    if mp3.nearest_kbps(bitrate, sample_rate) < least:
        raise AudioError(
            f"mp3 at {sample_rate} Hz with {channels} channel{'s' * (channels > 1)} cannot state its length in "
            f"{bitrate} kbit/s. Use a bit rate of {least} or more (--bitrate), or write ogg or m4a."
        )


def nearest_rate(name: str, sample_rate: int) -> int:
    """The rate a format can hold that is nearest to the given one; of two the higher."""
    clipped = [min(max(sample_rate, rates[0]), rates[-1]) for rates in _limits(name).rates]
    held = [
        rates[(rate - rates[0] + rates.step // 2) // rates.step]
        for rate, rates in zip(clipped, _limits(name).rates, strict=True)
    ]
    return min(held, key=lambda rate: (abs(rate - sample_rate), -rate))


def formats_for(sample_rate: int, channels: int) -> list[str]:
    """Names of the formats that hold this rate and this many channels."""
    return [name for name, limits in LIMITS.items() if channels in limits.channels and _holds_rate(limits, sample_rate)]


def _holds_rate(limits: Limits, sample_rate: int) -> bool:
    return any(sample_rate in rates for rates in limits.rates)


def _either(names: Iterable[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} or {last}" if head else last
