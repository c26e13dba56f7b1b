"""Loops: the same tokens again and again, which a decoder writes where it does not hear what is said."""

from collections.abc import Sequence

REPEATS = 4  # of a stretch of tokens, one after the other, that make a loop
LEAST_TOKENS = 12  # in all repeats together: "no, no, no, no" may well be said
LONGEST = 60  # tokens in a stretch


def without_loop(tokens: Sequence[int]) -> int:
    """How many of the tokens to keep: all, or those up to the end of the first stretch that is repeated to the end."""
    count = len(tokens)
    for size in range(1, min(LONGEST, count // REPEATS) + 1):
        begin = count - size
        while begin > 0 and tokens[begin - 1] == tokens[begin - 1 + size]:
            begin -= 1
        if count - begin >= max(REPEATS * size, LEAST_TOKENS):
            return begin + size
    return count
