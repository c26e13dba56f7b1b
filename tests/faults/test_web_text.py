"""Text as the web has it: with characters that nobody sees, ligatures, full-width letters and typographic signs."""

from pathlib import Path

import pytest

from unbraid import phonemize
from unbraid.corpora.pronunciations import parse
from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.text.transcription import plain_words
from unbraid.files.normalization import normalized
from unbraid.tasks import attention
from unbraid.tasks.synthesis.phonemizer import words_of
from unbraid.tasks.synthesis.text_frontend import sentences_of

INVISIBLE = (
    "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\u2061", "\u2063", "\u202a", "\u202c",
    "\u2066", "\u2069", "\ufeff", "\ufe0f", "\u034f", "\u180e", "\u061c", "\u3164", "\U000e0101", "\U000e0061", "\0",
    "\x1b", "\x7f", "\x9d",
)  # fmt: skip
ALIKE = {
    "ligatures": ("\ufb01ts the o\ufb03ce", "fits the office"),
    "full width": ("\uff28\uff45\uff4c\uff4c\uff4f\uff0c\u3000\uff57\uff4f\uff52\uff4c\uff44", "Hello, world"),
    "mathematical letters": ("\U0001d5d5\U0001d5fc\U0001d5f9\U0001d5f1", "Bold"),
    "no-break spaces": ("one\u00a0two\u202fthree\u2009four\u2007five", "one two three four five"),
    "no-break hyphens": ("well\u2011known twenty\u2010one", "well-known twenty-one"),
    "quotes": ("\u201cdon\u2019t\u201d \u2018stop\u2019 \u201enow\u201c", '"don\'t" \'stop\' "now"'),
    "apart accents": ("cafe\u0301", "caf\u00e9"),
    "accent behind a soft hyphen": ("cafe\u00ad\u0301", "caf\u00e9"),
    "a byte order mark": ("\ufeffhello", "hello"),
    "a pause": ("well\u2026 yes", "well\u2026 yes"),
    "an acute accent for an apostrophe": ("it\u00b4s", "it's"),
    "what means something else": ("x\u00b2 \u00bd", "x\u00b2 \u00bd"),
    "lines": ("one\ntwo\tthree", "one\ntwo\tthree"),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_looks_alike_is_the_same_text(name: str) -> None:
    written, plain = ALIKE[name]
    assert normalized(written) == plain
    assert normalized(plain) == plain


@pytest.mark.parametrize("sign", INVISIBLE, ids=[f"U+{ord(sign):04X}" for sign in INVISIBLE])
def test_what_nobody_sees_is_not_there(sign: str) -> None:
    assert normalized(f"pro{sign}ficient{sign}") == "proficient"
    assert words_of(f"{sign}pro{sign}ficient words") == ["proficient", "words"]
    assert [s.words for s in sentences_of(f"pro{sign}ficient. {sign}")] == [("proficient",)]
    assert plain_words(f"Pro{sign}ficient {sign} words") == ("proficient", "words")


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u2060", "\ufeff"])
def test_words_are_spoken_as_without_it(sign: str) -> None:
    assert phonemize(f"pro{sign}ficient") == phonemize("proficient")


@pytest.mark.parametrize("name", ["ligatures", "full width", "no-break spaces", "no-break hyphens", "quotes"])
def test_words_are_spoken_as_they_look(name: str) -> None:
    written, plain = ALIKE[name]
    assert phonemize(written) == phonemize(plain)


def test_nothing_but_what_nobody_sees_is_no_text() -> None:
    with pytest.raises(UsageError, match="^There are no words in this text"):
        phonemize("\u200b\u00ad \ufeff")


def test_attention_is_that_of_the_plain_text() -> None:
    seen = attention.attention_maps("g2p", "pro\u00ad\ufb01t")
    assert seen.maps[0].rows.labels[:-1] == tuple("profit")


def test_manifests_and_dictionaries_hold_plain_text(tmp_path: Path) -> None:
    rows = 'path,speaker,split,text\na.wav,s,train,"don\u2019t\u00a0pro\u00adfi\u200bt"\nb.wav,s,train,\u200b\n'
    (tmp_path / "manifest.csv").write_text(rows, encoding="utf-8")
    assert [utterance.text for utterance in find_utterances(tmp_path, "train")] == ["don't profit"]
    (entry,) = parse(["don\u2019t\u00ad D OW1 N T"], "here")
    assert (entry.word, entry.pronunciations) == ("don't", (("D", "OW", "N", "T"),))
