r"""Escaping of untrusted text for display: control and other invisible characters are written as escapes.

File names, model names, tags and server responses may hold control characters (C0, DEL, C1), which a terminal
obeys; embeddings, overrides and isolates of the bidirectional algorithm, which reorder the line around them; tag
characters, which are invisible; and halves of surrogate pairs, which stand for the bytes of a name that is not UTF-8.

    printable("a\x1b[2J")      ->  "a\\x1b[2J"
    printable("caf\udce9.wav") ->  "caf\\xe9.wav"
"""

import json
import os
import re

_ACTING = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]")
_BYTES = range(0xDC80, 0xDD00)  # how `os.fsdecode` represents bytes that are not UTF-8


def printable(text: str, keep: str = "") -> str:
    """The text with each character shown, line breaks and tabs too, unless they are to be kept."""
    return _ACTING.sub(lambda found: found[0] if found[0] in keep else _escape(found), text)


def printable_page(document: str) -> str:
    """The same for an HTML page, whose line breaks and tabs are kept."""
    return printable(document, keep="\n\t")


def is_utf8(name: str | os.PathLike[str]) -> bool:
    """Whether a name is valid UTF-8, as some libraries require."""
    try:
        os.fspath(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def json_printable(text: str) -> str:
    """The same for JSON on one line, in JSON's own escapes; its value does not change."""
    return _ACTING.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()
