"""An independent recogniser: pocketsphinx, restricted to digits.

Its acoustic model of US English was trained by others on other voices (Huggins-Daines et al., "PocketSphinx",
ICASSP 2006); it expects 16 kHz, so it recognises recordings at 8 kHz badly, whoever speaks.
"""

import numpy as np
from numpy.typing import NDArray

from unbraid.audio import resample
from unbraid.dsp.downmix import downmixed
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.synthesis.text_frontend import DIGIT_WORDS
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.transcript import Word

NAME = "pocketsphinx"
WORDS = frozenset(DIGIT_WORDS.values())
_RATE = 16_000
_LEAD_SECONDS = 0.2  # of silence before and after: it misses words at the very start
_GRAMMAR = f"#JSGF V1.0; grammar digits; public <digits> = ( {' | '.join(sorted(WORDS))} )+ ;"


class Sphinx:
    """A recogniser of strings of digits."""

    def __init__(self) -> None:
        """Load its model, which comes with the package.

        Raises:
            RuntimeUnavailable: it is not installed.
        """
        try:
            from pocketsphinx import Decoder
        except ImportError:
            raise RuntimeUnavailable(
                "pocketsphinx is not installed; get it with `pip install pocketsphinx`, or name a model that listens "
                "by --recogniser."
            ) from None
        self._decoder = Decoder(lm=None, samprate=_RATE, loglevel="FATAL")
        self._decoder.add_jsgf_string("digits", _GRAMMAR)
        self._decoder.activate_search("digits")

    def __call__(self, audio: NDArray[np.float32], sample_rate: int) -> Transcript:
        """The digits of an array (C, T), as words without times."""
        (heard,) = resample(downmixed(audio, sample_rate), sample_rate, _RATE)
        padded = np.pad(heard, round(_LEAD_SECONDS * _RATE)).clip(-1, 1)
        self._decoder.start_utt()
        self._decoder.process_raw((padded * 32767).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        words = [word for word in found.hypstr.split() if word in WORDS] if found else []
        return Transcript(tuple(Word(word, 0.0, 0.0, 1.0) for word in words), NAME)
