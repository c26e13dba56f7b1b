"""Lyrics are read off the sung passages alone, by recognisers that hear a tone as a digit."""

import numpy as np
import pytest

from recognizer_fakes import RATE, ears, say
from unbraid.audio import resample
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.analysis.lyrics import Lyrics
from unbraid.tasks.analysis.lyrics_reading import RATE as KEPT_RATE
from unbraid.tasks.analysis.lyrics_reading import Reader, aligning, kept_vocals, transcribing
from unbraid.tasks.transcription.transcriber import Transcriber

SUNG = say(3, 1, None, 4, 1, rest=0.5)  # digits at 0, 0.7, 2.1 and 2.8 s


def read(reader: Reader, *passages: tuple[float, float], block: int = 1000) -> Lyrics:
    mono = resample(SUNG, RATE, KEPT_RATE)[0]
    with kept_vocals() as kept:
        for start in range(0, len(mono), block):
            part = mono[start : start + block]
            kept.push(part, 1.5 * part)
        return kept.lyrics(passages, reader)


def test_words_outside_sung_passages_are_not_heard() -> None:
    reader = transcribing(Transcriber.over(ears(), force=True))
    both = read(reader, (0.0, 3.5))
    assert [word.text for line in both.lines for word in line.words] == ["3", "1", "4", "1"]
    late = read(reader, (2.4, 3.5))
    (word,) = (word for line in late.lines for word in line.words if word.text == "1")
    assert late.text.split()[-1] == "1" and "3" not in late.text
    assert word.start == pytest.approx(2.8, abs=0.1)


def test_a_given_text_has_its_times() -> None:
    found = read(aligning(Aligner(ears()), "3 1\n4 1"), (0.0, 3.5))
    assert found.given and [line.text for line in found.lines] == ["3 1", "4 1"]
    assert [line.start for line in found.lines] == [pytest.approx(0, abs=0.1), pytest.approx(2.1, abs=0.1)]
    assert found.to_lrc().splitlines()[1].startswith("[00:02.")


def test_reasons() -> None:
    reader = transcribing(Transcriber.over(ears(), force=True))
    assert read(reader).reason == "nobody sings in it"
    assert read(reader, (5.0, 6.0)).reason == "no word is heard in it"
    lost = read(aligning(Aligner(ears()), "7 7 7 7"), (0.0, 3.5))
    assert len(lost) == 0 and lost.reason is not None and lost.reason.startswith("No line of the text was found")


def test_blocks_change_nothing() -> None:
    reader = transcribing(Transcriber.over(ears(), force=True))
    one, two = read(reader, (0.5, 3.5)), read(reader, (0.5, 3.5), block=77)
    assert one == two
    assert np.isfinite([line.start for line in one.lines if line.start is not None]).all()
