"""Vocabularies: symbols as numbers and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.hub.vocabulary import BEGIN, END, PADDING, SPECIAL, UNKNOWN, Vocabulary

LETTERS = Vocabulary.of(["cat", "act", "dog"])


def test_special_symbols_come_first_and_the_rest_is_sorted() -> None:
    assert (PADDING, BEGIN, END, UNKNOWN) == (0, 1, 2, 3)
    assert LETTERS.symbols == (*SPECIAL, "a", "c", "d", "g", "o", "t")
    assert Vocabulary.of([("K", "AE", "T"), ("T", "AE")]).symbols[4:] == ("AE", "K", "T")
    assert len(LETTERS) == 10


@given(st.text(alphabet="acdgot"))
def test_what_is_encoded_is_decoded(word: str) -> None:
    assert "".join(LETTERS.decode(LETTERS.encode(word))) == word


def test_what_is_not_there_is_unknown() -> None:
    assert LETTERS.encode("cab") == [5, 4, UNKNOWN]
    assert LETTERS.unknown("xcaxb") == ["x", "b"]
    assert LETTERS.unknown(["a", SPECIAL[0]]) == [SPECIAL[0]]  # no text has it
    assert LETTERS.decode([BEGIN, 5, UNKNOWN, 4, END, PADDING]) == ["c", "a"]


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (("a", "b"), "a vocabulary begins with <padding>, <begin>, <end>, <unknown>, not with ['a', 'b']."),
        (SPECIAL, "a vocabulary needs a symbol besides the special ones."),
        ((*SPECIAL, "a", "a"), "the symbols of a vocabulary must differ, and none may be empty."),
        ((*SPECIAL, ""), "the symbols of a vocabulary must differ, and none may be empty."),
    ],
)
def test_what_is_no_vocabulary(symbols: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Vocabulary(symbols)
    assert str(caught.value) == message
