"""Raw samples without a header: their coding is given by the caller, or follows from the extension.

`--input-format CODING[:RATE[:CHANNELS]]`, with FFmpeg's names of codings: `s16le:44100:2`, `ulaw:8000`. Files called
.ul and .al are telephone audio by convention, 8000 Hz and one channel (sox reads them so).
"""

import re
from dataclasses import dataclass

from unbraid.errors import UsageError

_PCM = {"s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT", "f64": "DOUBLE"}
_CODINGS: dict[str, tuple[str, str]] = {  # {name: (libsndfile's subtype, byte order)}
    "s8": ("PCM_S8", "FILE"),
    "u8": ("PCM_U8", "FILE"),
    **{name + "le": (subtype, "LITTLE") for name, subtype in _PCM.items()},
    **{name + "be": (subtype, "BIG") for name, subtype in _PCM.items()},
    "ulaw": ("ULAW", "FILE"),
    "alaw": ("ALAW", "FILE"),
    "gsm": ("GSM610", "FILE"),
    "vox": ("VOX_ADPCM", "FILE"),
}
_OTHER_NAMES = {
    **dict.fromkeys(("mulaw", "u-law", "mu-law", "g711u", "pcmu"), "ulaw"),
    **dict.fromkeys(("a-law", "g711a", "pcma"), "alaw"),
    **{name: f"{name}le" for name in _PCM},
    "gsm610": "gsm",
}
_TELEPHONE = ("ulaw", "alaw", "gsm", "vox")  # 8000 Hz and one channel unless said otherwise
_MOST_HERTZ, _MOST_CHANNELS = 1_000_000, 1024
_EXAMPLE = "for example ulaw:8000, or s16le:44100:2"


@dataclass(frozen=True)
class Headerless:
    """The coding of samples without a header."""

    coding: str  # a key of _CODINGS
    sample_rate: int
    channels: int = 1

    @property
    def subtype(self) -> str:
        """libsndfile's name of the coding."""
        return _CODINGS[self.coding][0]

    @property
    def byte_order(self) -> str:
        """libsndfile's name of it."""
        return _CODINGS[self.coding][1]

    def __str__(self) -> str:
        return f"{self.coding}:{self.sample_rate}:{self.channels}"


BY_EXTENSION = {
    **dict.fromkeys((".ul", ".ulaw", ".mulaw", ".pcmu", ".lu"), Headerless("ulaw", 8000)),
    **dict.fromkeys((".al", ".alaw", ".pcma", ".la"), Headerless("alaw", 8000)),
    ".sln": Headerless("s16le", 8000),
    ".sln16": Headerless("s16le", 16000),
    ".gsm": Headerless("gsm", 8000),
    ".vox": Headerless("vox", 8000),
}
AMBIGUOUS = (
    *(".raw", ".pcm", ".snd", ".g711", ".bin", ".sb", ".ub", ".sw", ".uw", ".sl", ".fssd"),
    *(".s8", ".u8", ".s16", ".s24", ".s32", ".f32", ".f64"),
)


def parse(text: str) -> Headerless:
    """CODING[:RATE[:CHANNELS]].

    Raises:
        UsageError: it does not say one of these.
    """
    coding, *numbers = text.strip().lower().split(":")
    coding = coding.removeprefix("pcm_")
    coding = _OTHER_NAMES.get(coding, coding)
    if coding not in _CODINGS:
        raise UsageError(
            f"There is no input format {text!r}: a coding is one of {', '.join(_CODINGS)}, followed by the sample rate "
            f"and the channels, {_EXAMPLE}."
        )
    if len(numbers) > 2 or not all(re.fullmatch(r"[0-9]{1,9}", number) for number in numbers):
        raise UsageError(f"The input format {text!r} is not CODING:RATE:CHANNELS, {_EXAMPLE}.")
    if not numbers and coding not in _TELEPHONE:
        raise UsageError(f"The input format {text!r} does not say the sample rate; add it, {_EXAMPLE}.")
    rate, channels = (*map(int, numbers), *(8000, 1)[len(numbers) :])
    if not 1 <= rate <= _MOST_HERTZ or not 1 <= channels <= _MOST_CHANNELS:
        raise UsageError(
            f"The input format {text!r} is not possible: rates go from 1 to {_MOST_HERTZ} Hz, channels from 1 to "
            f"{_MOST_CHANNELS}."
        )
    if coding in ("gsm", "vox") and channels != 1:
        raise UsageError(f"The input format {text!r} is not possible: {coding} has one channel.")
    return Headerless(coding, rate, channels)


def advice(extension: str) -> str:
    """Advice for an unreadable file that may lack a header; empty for other extensions."""
    if extension not in AMBIGUOUS and extension not in BY_EXTENSION:
        return ""
    return f" If it has no header, give the coding of its samples with --input-format, {_EXAMPLE}."
