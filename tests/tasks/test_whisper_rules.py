"""What may follow: times in pairs that never go back, and tokens that are never written."""

import numpy as np
import pytest

from unbraid.tasks.transcription.whisper.loops import without_loop
from unbraid.tasks.transcription.whisper.phrases import cut_at_times
from unbraid.tasks.transcription.whisper.rules import Rules
from whisper_fakes import END, FIRST_TIME, NUMBER, SYMBOLS, TOKENS, time

WORD = 256


def allowed(*text: int, likely: int | None = None) -> set[int]:
    """The tokens that may follow a text, where all are equally likely but one."""
    logits = np.zeros((1, SYMBOLS), np.float32)
    logits[:, :FIRST_TIME] = 5.0  # or else all times together are likelier than each word
    if likely is not None:
        logits[:, likely] = 30.0
    logs = Rules(TOKENS).log_probs(logits, [text])
    assert np.exp(logs[0]).sum() == pytest.approx(1, abs=1e-4)
    return set(np.flatnonzero(logs[0] > -np.inf).tolist())


def test_a_text_begins_with_a_time_of_at_most_a_second() -> None:
    assert allowed() == set(range(time(0), min(time(1.0), SYMBOLS - 1) + 1))


def test_a_phrase_has_words() -> None:
    assert allowed(time(0.2)) == set(range(END + 1))


def test_a_phrase_ends_later_than_it_began() -> None:
    after = allowed(time(0.2), WORD)
    assert set(range(END + 1)) < after
    assert after - set(range(END + 1)) == set(range(time(0.22), SYMBOLS))


def test_between_phrases_comes_a_time_or_the_end() -> None:
    assert allowed(time(0.2), WORD, time(0.4)) == {END, *range(time(0.4), SYMBOLS)}


def test_no_special_token_is_written() -> None:
    special = set(range(END + 1, FIRST_TIME))
    assert not allowed(time(0.2), WORD, likely=NUMBER["start"]) & special


def test_times_that_are_likelier_than_any_word_are_forced() -> None:
    logits = np.zeros((1, SYMBOLS), np.float32)
    logits[0, WORD] = 2.0  # likelier than each time, but not than all of them
    assert (Rules(TOKENS).log_probs(logits, [(time(0.1), WORD)])[0, :FIRST_TIME] == -np.inf).all()


def test_without_times_there_are_none() -> None:
    logs = Rules(TOKENS, with_times=False).log_probs(np.zeros((1, SYMBOLS), np.float32), [()])
    assert (logs[0, END:] == -np.inf).all()  # nor an empty text
    assert logs[0, WORD] > -np.inf


# --- phrases ---


def test_a_phrase_that_is_cut_off_begins_the_next_window() -> None:
    text = [time(0.1), WORD, time(0.3), time(0.6)]
    cut = cut_at_times([*text, WORD + 1], [0.0] * 5, FIRST_TIME, 1.0)
    assert [(p.start, p.end, p.tokens) for p in cut.phrases] == [(0.1, 0.3, (WORD,))]
    assert (cut.moved, cut.used) == (0.3, 3)


def test_a_text_that_ends_with_one_time_moves_by_the_window() -> None:
    text = [time(0.1), WORD, time(0.3), time(0.6), WORD + 1, time(0.9)]
    cut = cut_at_times(text, [0.0] * 6, FIRST_TIME, 1.0)
    assert [(p.start, p.end) for p in cut.phrases] == [(0.1, 0.3), (0.6, pytest.approx(0.9))]
    assert (cut.moved, cut.used) == (1.0, 6)


def test_a_text_without_an_end_lasts_to_the_end_of_the_window() -> None:
    cut = cut_at_times([time(0.2), WORD], [0.0] * 2, FIRST_TIME, 0.7)
    assert [(p.start, p.end) for p in cut.phrases] == [(0.2, 0.7)]
    assert cut.moved == 0.7


def test_no_window_stands_still_and_no_phrase_begins_behind_it() -> None:
    cut = cut_at_times([time(0.0), WORD, time(0.0), time(0.0)], [0.0] * 4, FIRST_TIME, 1.0)
    assert cut.moved > 0
    cut = cut_at_times([time(0.8), WORD, time(0.9)], [0.0] * 3, FIRST_TIME, 0.5)
    assert cut.phrases == []
    assert cut_at_times([], [], FIRST_TIME, 0.5).phrases == []


# --- loops ---


def test_a_loop_is_cut_behind_its_first_round() -> None:
    assert without_loop([9, 8, *[1, 2, 3] * 5]) == 5
    assert without_loop([7] * 20) == 1
    assert without_loop([9, 8, 1, 2, 3, 1, 2, 3]) == 8  # said twice
    assert without_loop([4, 4, 4, 4]) == 4  # no, no, no, no
    assert without_loop([]) == 0
