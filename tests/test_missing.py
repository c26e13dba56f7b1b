"""The sentence that ends a test run."""

import pytest

from missing import REMEDIES, sentence


def test_names_what_to_install() -> None:
    reasons = ["no espeak-ng: apt install espeak-ng", "espeak-ng is not installed", "no parity fixtures: /x is absent"]
    assert sentence({"passed": 4377, "failed": 0}, reasons) == (
        "4,377 passed, 3 skipped. This machine lacks espeak-ng (2 tests: apt install espeak-ng), the parity fixtures "
        "(1 test: set UNBRAID_SHARED to the folder that holds them)."
    )


def test_nothing_skipped() -> None:
    assert sentence({"passed": 12, "failed": 0, "error": 0}, []) == "12 passed, none skipped."


def test_failures_come_with_the_rest() -> None:
    told = sentence({"passed": 0, "failed": 2, "error": 1}, ["signals are POSIX"])
    assert told == "0 passed, 2 failed, 1 error, 1 skipped. Skipped for other reasons: signals are POSIX (1 test)."


@pytest.mark.parametrize("word", REMEDIES)
def test_every_remedy_is_told(word: str) -> None:
    assert REMEDIES[word][1] in sentence({"passed": 1}, [f"no {word} here"])
