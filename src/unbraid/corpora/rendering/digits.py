"""Strings of digits by synthetic voices, as training data for recognisers.

espeak-ng has English in eight accents and twelve variants of voice, and other languages, which give English digits a
foreign accent. flite, if installed, adds five voices built from recordings of people (http://www.festvox.org/flite).
Digits follow each other without pauses, as in a telephone number, or with a pause after each or after some.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unbraid.corpora.rendering.programs import find_program
from unbraid.corpora.rendering.speech import VARIANTS, Take, record

ACCENTS = ("en-us", "en-us-nyc", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
FLITE_VOICES = {"slt": 170, "rms": 95, "awb": 130, "kal": 105, "kal16": 105}  # and their usual pitch in Hz
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FOREIGN = {  # languages, and the digits from zero to nine in their spelling
    "cs": "zírou van tů srí fór fajv siks sevn ejt najn",
    "de": "siro uann tu sri for faif sicks sewwen eht nein",
    "el": "ζίρο ουάν του θρι φορ φάιβ σιξ σέβεν έιτ νάιν",
    "es": "siro uan tu tri for faiv six seven eit nain",
    "fi": "siro van tuu srii foor faiv siks seven eit nain",
    "fr-fr": "ziro ouane tou sri fore faïve sixe sévenne éïte naïne",
    "hi": "ज़ीरो वन टू थ्री फोर फाइव सिक्स सेवन एट नाइन",
    "hu": "ziró uán tú szrí fór fájv sziksz szeven éjt nájn",
    "it": "ziro uan tu tri for faiv sics seven eit nain",
    "nl": "ziero wan toe srie for faif siks sevven eet nain",
    "pl": "ziro łan tu sri for fajw siks sewen ejt najn",
    "pt": "ziro uan tu tri fór faive sics sévene eite naine",
    "ro": "ziro uan tu tri for faiv sics seven eit nain",
    "ru": "зиро уан ту сри фор файв сикс севен эйт найн",
    "sv": "siro oan to tri får fajv six sävven ejt najn",
    "tr": "ziro van tu tri for fayv siks sevin eyt nayn",
}
FOREIGN_SHARE = 0.5  # of the utterances of espeak-ng
FLITE_SHARE = 0.3  # of the utterances
_COUNT = (3, 11)  # from three to ten


def speak_digits(folder: Path, utterances: int, seed: int = 0) -> Iterator[Path]:
    """Write digits and their manifest.csv, with texts such as "3 5 7", into a new folder; yields each path once
    it is written. The same programs say the same for the same seed.

    Raises:
        RuntimeUnavailable: espeak-ng is not installed.
        UsageError: the folder is there already.
    """
    program, flite = find_program("espeak-ng"), shutil.which("flite")
    yield from record(folder, (_take(program, flite, np.random.default_rng((seed, n))) for n in range(utterances)))


def _take(program: str, flite: str | None, random: np.random.Generator) -> Take:
    digits = random.integers(0, 10, random.integers(*_COUNT))
    text = " ".join(map(str, digits))
    pace = float(np.exp(random.uniform(-0.3, 0.3)))
    if flite is not None and random.random() < FLITE_SHARE:
        name = str(random.choice(list(FLITE_VOICES)))
        hertz = FLITE_VOICES[name] * float(np.exp(random.uniform(-0.25, 0.25)))
        settings = ("--setf", f"duration_stretch={pace:.3f}", "--setf", f"int_f0_target_mean={hertz:.1f}")
        return Take(f"flite-{name}", text, (flite, "-voice", name, *settings, "-t", _said(digits, random), "-o"))
    language = str(random.choice(list(FOREIGN) if random.random() < FOREIGN_SHARE else ACCENTS))
    said = _said(digits, random, tuple(FOREIGN[language].split()) if language in FOREIGN else DIGITS)
    voice = f"{language}+{random.choice(VARIANTS)}"
    pitch, words_a_minute = str(random.integers(15, 85)), str(round(150 / pace))
    return Take(voice, text, (program, "-v", voice, "-p", pitch, "-s", words_a_minute, said, "-w"))


def _said(digits: np.ndarray, random: np.random.Generator, words: Sequence[str] = DIGITS) -> str:
    """The digits as words, with a comma wherever there is a pause."""
    pauses = random.random(len(digits)) < random.choice((0.0, 0.3, 1.0))
    return " ".join(words[digit] + ("," if pause else "") for digit, pause in zip(digits, pauses, strict=True))
