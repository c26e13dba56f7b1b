"""Tokens become words in whole characters, and get their times by the path through the attention."""

import itertools

import numpy as np
import pytest

from unbraid.hub.tokens import ByteTokenizer, pieces_of
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.subtitles import lines_of
from unbraid.tasks.transcription.transcript import Word, spoken
from unbraid.tasks.transcription.whisper.phrases import Phrase
from unbraid.tasks.transcription.whisper.words import (
    in_order,
    parts_of,
    spread_words,
    timed_words,
    token_times,
    warping_path,
)

BYTES = ByteTokenizer([bytes([byte]) for byte in range(256)])
ENGLISH = ByteTokenizer([*(bytes([byte]) for byte in range(256)), b"'t"])


def texts(text: str, language: str = "en") -> list[str]:
    return [part.text for part in parts_of(ENGLISH.encode(text), ENGLISH, language)]


def phrase(text: str, start: float = 0.0, end: float = 1.0) -> Phrase:
    tokens = tuple(text.encode())
    return Phrase(start, end, tokens, (-0.1,) * len(tokens))


def test_signs_go_with_their_words() -> None:
    assert texts(' "Well-known," he said; don\'t!') == [' "Well-known,"', " he", " said;", " don't!"]


def test_characters_of_several_bytes_stay_whole() -> None:
    assert texts(" Straße für") == [" Straße", " für"]
    assert texts("日本語、です。", "ja") == ["日", "本", "語、", "で", "す。"]


def test_bytes_that_are_no_text_lose_nothing_else() -> None:
    parts = parts_of([*b" a", 0xFF, *b" b"], BYTES, "en")
    assert [part.last for part in parts][-1] == 5
    assert "a" in parts[0].text


def test_words_join_without_blanks_where_there_are_none() -> None:
    words = [*spread_words(phrase("日本"), BYTES, "ja"), *spread_words(phrase("です"), BYTES, "ja")]
    assert spoken(words) == "日本です"
    assert Transcript(tuple(words), "m").text == "日本です"
    assert [line.text for line in lines_of(words)] == ["日本です"]
    assert spoken(spread_words(phrase(" Hello, you"), BYTES, "en")) == "Hello, you"


def test_the_words_of_a_phrase_share_its_time_by_their_letters() -> None:
    words = spread_words(phrase(" a bbb", 2.0, 4.0), BYTES, "en")
    assert [(w.text, w.start, w.end) for w in words] == [("a", 2.0, 2.5), ("bbb", 2.5, 4.0)]
    assert words[0].confidence == pytest.approx(np.exp(-0.1))
    assert spread_words(phrase("  "), BYTES, "en") == []


def test_the_warping_path_is_the_cheapest() -> None:
    random = np.random.default_rng(2)
    for rows, columns in ((1, 1), (3, 5), (4, 4), (5, 3)):
        costs = random.normal(size=(rows, columns)).astype(np.float32)
        i, j = warping_path(costs)
        assert (i[0], j[0], i[-1], j[-1]) == (0, 0, rows - 1, columns - 1)
        assert {(a, b) for a, b in zip(np.diff(i), np.diff(j), strict=True)} <= {(0, 1), (1, 0), (1, 1)}
        best = np.full((rows + 1, columns + 1), np.inf)
        best[0, 0] = 0
        for r, c in itertools.product(range(rows), range(columns)):
            best[r + 1, c + 1] = costs[r, c] + min(best[r, c + 1], best[r + 1, c], best[r, c])
        assert costs[i, j].sum() == pytest.approx(best[-1, -1], abs=1e-4)


def attention(*begins: int, steps: int = 60) -> np.ndarray:
    """Weights (1, M, N) of tokens that each look at the steps from one place to the next."""
    weights = np.full((1, len(begins), steps), 0.01, np.float32)
    for row, (begin, end) in enumerate(itertools.pairwise([*begins, steps])):
        weights[0, row, begin:end] = 1.0
    return weights


def test_tokens_begin_where_their_attention_does() -> None:
    np.testing.assert_allclose(token_times(attention(0, 12, 25, 50)), [0, 0.24, 0.5, 1.0], atol=0.021)


def test_words_last_from_their_first_token_to_the_next_word() -> None:
    first, second = phrase(" ab cd"), phrase(" e")
    weights = attention(0, 5, 10, 15, 20, 25, 30, 35, 40)  # of 8 tokens and the end
    words = timed_words([first, second], weights, BYTES, "en")
    assert [[w.text for w in some] for some in words] == [["ab", "cd"], ["e"]]
    spans = [(w.start, w.end) for some in words for w in some]
    np.testing.assert_allclose(spans, [(0, 0.3), (0.3, 0.6), (0.6, 0.8)], atol=0.021)


def test_a_word_is_not_as_long_as_the_pause_beside_it() -> None:
    weights = attention(0, 100, 105, 110, 115, 400, steps=500)  # of " a b" and the end; silence before and after
    ((first, second),) = timed_words([phrase(" a b")], weights[:, :5], BYTES, "en")
    assert first.end - first.start <= 1.41
    assert second.end - second.start <= 1.41


# --- tokens ---


def test_pieces_of_a_text_are_words_numbers_signs_and_blanks() -> None:
    assert pieces_of("I'll pay  42\n\nnow…") == ["I", "'ll", " pay", " ", " 42", "\n", "\n", "now", "…"]
    assert "".join(pieces_of(" a\t  b² 日本 ")) == " a\t  b² 日本 "


def test_neighbours_are_joined_by_the_smallest_number() -> None:
    tokenizer = ByteTokenizer([*(bytes([byte]) for byte in range(256)), b"ab", b"bc", b"abc"])
    assert tokenizer.encode("abc") == [258]
    assert tokenizer.encode("bcab") == [257, 256]
    assert tokenizer.decode(tokenizer.encode("naïve 日")) == "naïve 日"
    with pytest.raises(ValueError, match="byte 3 has no token"):
        ByteTokenizer([bytes([byte]) for byte in range(256) if byte != 3])


def test_words_of_two_windows_do_not_overlap() -> None:
    heard = [Word("types,", 945.8, 946.64, 0.9), Word("the", 945.72, 946.86, 0.9), Word("a", 946.0, 946.1, 0.9)]
    found = [(word.text, word.start, word.end) for word in in_order([*heard, Word("man", 947.0, 947.2, 0.9)])]
    assert found == [("types,", 945.8, 946.64), ("the", 946.64, 946.86), ("a", 946.86, 946.86), ("man", 947.0, 947.2)]
