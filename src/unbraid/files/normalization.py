r"""Unicode normalisation of text: plain characters in place of compatibility forms, no invisible characters.

    normalized("pro\u00adficient \ufb01ts")       # "proficient fits"

Unicode's compatibility forms (NFKC, Unicode Standard Annex #15) turn ligatures, full-width letters and no-break spaces
into plain ones; superscripts and fractions, which mean something else, stay. Soft hyphens, spaces and joiners without a
width, marks of direction, variation selectors and control characters are dropped; quotes and hyphens become those of
ASCII. Texts are normalised before phonemes, before every model that reads or writes text, and on both sides of a word
error rate.
"""

import re
import unicodedata
from itertools import groupby

_APOSTROPHES = "’‘‛ʼʻ`´′＇"
_QUOTES = "“”„‟″＂"
_HYPHENS = "‐‑⁃﹣－"
_PLAIN = str.maketrans(
    {sign: plain for signs, plain in ((_APOSTROPHES, "'"), (_QUOTES, '"'), (_HYPHENS, "-")) for sign in signs}
)
# Of those that Unicode calls ignorable by default, the ones that are no format characters (Cf).
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
_SIGNS = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2]")  # format characters that are seen
_ELLIPSIS = "…"  # a pause, which three full stops are not
_MEANINGFUL = ("<super>", "<sub>", "<fraction>")  # x² is not x2


def normalized(text: str) -> str:
    """The text in NFKC, without invisible characters."""
    if text.isascii() and text.isprintable():
        return text.replace("`", "'")
    plain = text.translate(_PLAIN)
    runs = ((kept, "".join(run)) for kept, run in groupby(plain, _is_kept))
    composed = "".join(run if kept else unicodedata.normalize("NFKC", run) for kept, run in runs)
    seen = "".join(sign for sign in composed.translate(_PLAIN) if not _is_invisible(sign))
    return unicodedata.normalize("NFC", seen)  # a mark may follow another letter now


def _is_kept(sign: str) -> bool:
    """Whether the compatible form of a sign would mean something else."""
    return sign == _ELLIPSIS or unicodedata.decomposition(sign).startswith(_MEANINGFUL)


def _is_invisible(sign: str) -> bool:
    kind = unicodedata.category(sign)
    if kind == "Cc":
        return not sign.isspace()
    return (kind == "Cf" and not _SIGNS.match(sign)) or bool(_IGNORABLE.match(sign))
