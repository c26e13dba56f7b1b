"""The tokens of a published Whisper: its byte-level vocabulary, and the special tokens by their names.

tokenizer.json holds all of it; older folders have vocab.json (tokens and their numbers), merges.txt (pairs in the order
in which they are joined) and added_tokens.json. Our tokenizer joins by the numbers of tokens (see `hub.tokens`), so the
merges must come in the order of these. Languages, suppressed tokens and alignment heads are in generation_config.json,
or in config.json alone where that is older.
Source: the files that transformers 4.23 to 5.24 write.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unbraid.errors import ModelError, quoted
from unbraid.files.bounded import parse_json, read_bytes, readable
from unbraid.hub.importers.settings import Settings, read_json
from unbraid.hub.tokens import MOST_BYTES, ByteTokenizer, Tokens, as_bytes

WHOLE, SYMBOLS, MERGES, ADDED = "tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json"
GENERATION = "generation_config.json"
NAMES = {
    "end": ("endoftext",),
    "start": ("startoftranscript",),
    "previous": ("startofprev",),
    "no_speech": ("nospeech", "nocaptions"),
    "no_timestamps": ("notimestamps",),
}
_SPECIAL = re.compile(r"<\|(.{1,40})\|>")
_LANGUAGE = re.compile("[a-z]{2,3}")


def read_tokens(folder: Path, settings: Settings) -> tuple[Tokens, list[str]]:
    """The special tokens, and those of bytes in GPT-2's alphabet; `settings` is config.json.

    Raises:
        ModelError: a file is missing or damaged, or the tokens are not those of a Whisper, or not of this network.
    """
    path, numbers, merges = _published(folder)
    special, symbols = {}, settings.positive("vocab_size", 51865)
    for token, number in numbers.items():
        if match := _SPECIAL.fullmatch(token):
            special[match[1]] = number
    named = {field: next((special[name] for name in names if name in special), None) for field, names in NAMES.items()}
    if missing := [field for field, number in named.items() if number is None]:
        raise ModelError(f"{path} has no token <|{NAMES[missing[0]][0]}|>, so it is not the tokenizer of a Whisper.")
    end = named["end"] or 0
    texts = sorted((number, token) for token, number in numbers.items() if number < end)
    if [number for number, _ in texts] != list(range(end)):
        raise ModelError(f"{path}: below the end of a text, {end}, each number needs one token; {len(texts)} have one.")
    _check_merges([token for _, token in texts], merges, path)
    generation = read_json(folder / GENERATION) if (folder / GENERATION).is_file() else settings
    multilingual = generation.flag("is_multilingual", symbols >= 51865)
    try:
        tokens = Tokens(
            symbols=symbols,
            **{field: number or 0 for field, number in named.items()},
            transcribe=special.get("transcribe") if multilingual else None,
            translate=special.get("translate") if multilingual else None,
            languages=_languages(special) if multilingual else {},
            suppressed=_numbers(generation, settings, "suppress_tokens"),
            suppressed_first=_numbers(generation, settings, "begin_suppress_tokens"),
            alignment_heads=_heads(generation),
        )
    except ValueError as error:
        raise ModelError(f"{path} does not fit {settings.path}: {error}") from None
    return tokens, [token for _, token in texts]


def _published(folder: Path) -> tuple[Path, dict[str, int], list[tuple[str, str]]]:
    """The file of tokens, the number of each, and the merges in their order."""
    if (folder / WHOLE).is_file():
        path = folder / WHOLE
        whole = _parsed(path)
        model, added = whole.get("model"), whole.get("added_tokens")
        if not isinstance(model, dict) or not isinstance(added, list):
            raise ModelError(f"{path} has no model or no added_tokens; expected a tokenizer as transformers write it.")
        numbers, merges = model.get("vocab"), model.get("merges")
        more: dict[Any, Any] = {item.get("content"): item.get("id") for item in added if isinstance(item, dict)}
    else:
        path = folder / SYMBOLS
        if missing := [file for file in (SYMBOLS, MERGES) if not (folder / file).is_file()]:
            raise ModelError(f"{folder} has no {missing[0]}; a Whisper has {WHOLE}, or {SYMBOLS} and {MERGES}.")
        numbers, more = _parsed(path), _parsed(folder / ADDED) if (folder / ADDED).is_file() else {}
        with readable(folder / MERGES, ModelError, "holds no merges"):
            lines = read_bytes(folder / MERGES, MOST_BYTES).decode("utf-8").splitlines()
        merges = [line for line in lines if line and not line.startswith("#version")]
    if not isinstance(numbers, dict) or not isinstance(merges, list):
        raise ModelError(f"{path} holds no vocabulary and merges; expected a byte-level BPE.")
    numbers = {**numbers, **more}
    if not all(isinstance(token, str) and type(number) is int and number >= 0 for token, number in numbers.items()):
        raise ModelError(f"{path} is no vocabulary: expected an object of tokens and their numbers.")
    return path, numbers, [_pair(merge, path) for merge in merges]


def _parsed(path: Path) -> dict[str, Any]:
    """The object in a JSON file; those of tokens are larger than settings."""
    with readable(path, ModelError, "is not JSON"):
        value = parse_json(read_bytes(path, MOST_BYTES).decode("utf-8"))
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object of names and values.")
    return value


def _pair(merge: Any, path: Path) -> tuple[str, str]:
    """The two tokens of a merge, written as "a b" or as a list."""
    pair = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
        raise ModelError(f"{path}: {quoted(merge)} is no merge of two tokens.")
    return pair[0], pair[1]


def _check_merges(texts: list[str], merges: Iterable[tuple[str, str]], path: Path) -> None:
    """Refuse tokens that are no strings of bytes, and merges that our tokenizer would do in another order."""
    try:
        ByteTokenizer([as_bytes(text) for text in texts])
    except ValueError as error:
        raise ModelError(f"{path} is not the tokenizer of a Whisper: {error}.") from None
    numbers, last = {text: number for number, text in enumerate(texts)}, -1
    for left, right in merges:
        number = numbers.get(left + right, -1)
        if number <= last:
            raise ModelError(f"{path}: the merge of {quoted(left)} and {quoted(right)} does not fit its tokens' order.")
        last = number


def _languages(special: dict[str, int]) -> dict[str, int]:
    """The languages: two or three letters, between the start and the tasks."""
    first, last = special["startoftranscript"], special.get("translate", 0)
    found = {name: n for name, n in special.items() if _LANGUAGE.fullmatch(name) and first < n < last}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _numbers(generation: Settings, settings: Settings, key: str) -> tuple[int, ...]:
    """A list of tokens."""
    values = generation.get(key, settings.get(key, []))
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise generation.misfit(key, values, "a list of tokens")
    return tuple(value for value in values if value >= 0)  # -1: none


def _heads(generation: Settings) -> tuple[tuple[int, int], ...]:
    """The attention heads that follow the words; none in older files."""
    values = generation.get("alignment_heads", [])
    pairs = [tuple(pair) for pair in values if isinstance(pair, list)] if isinstance(values, list) else []
    if not isinstance(values, list) or not all(
        len(pair) == 2 and all(type(number) is int for number in pair) for pair in pairs
    ):
        raise generation.misfit("alignment_heads", values, "a list of layers and heads")
    return tuple((pair[0], pair[1]) for pair in pairs)
