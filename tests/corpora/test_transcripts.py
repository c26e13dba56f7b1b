"""Recordings and their texts: who is chosen by which name, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.corpora.transcripts import are_spelled, find_utterances, symbols_of
from unbraid.errors import UsageError

ROWS = """path,speaker,split,text,more
a/x/0.wav,a/x,train,3  5 7,1
a/x/1.wav,a/x,dev,1,
a/xy/0.wav,a/xy,train,2 2,
b/0.wav,anna,train,9,
b/1.wav,anna,train,,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.csv").write_text(ROWS)
    return tmp_path


def names(*arguments, **options) -> list[str]:
    return [utterance.name for utterance in find_utterances(*arguments, **options)]


def test_a_row_with_a_text_is_an_utterance(folder: Path) -> None:
    first = find_utterances(folder)[0]
    assert (first.speaker, first.text, first.words) == ("a/x", "3 5 7", ("3", "5", "7"))
    assert first.clip.path == folder / "a" / "x" / "0.wav"
    assert names(folder) == ["a/x/0.wav", "a/x/1.wav", "a/xy/0.wav", "b/0.wav"]
    assert names(folder, "dev") == ["a/x/1.wav"]


def test_a_name_is_a_speaker_or_a_folder_and_no_mere_beginning(folder: Path) -> None:
    assert names(folder, speakers=["a"]) == ["a/x/0.wav", "a/x/1.wav", "a/xy/0.wav"]
    assert names(folder, speakers=["a/x"]) == ["a/x/0.wav", "a/x/1.wav"]
    assert names(folder, speakers=["b", "a/xy"]) == names(folder, without=["a/x"]) == ["a/xy/0.wav", "b/0.wav"]
    assert names(folder, "train", speakers=["a"], without=["a/x"]) == ["a/xy/0.wav"]
    assert names(folder, speakers=["anna"]) == ["b/0.wav"]


def test_what_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    bare = tmp_path_factory.mktemp("bare")
    (bare / "manifest.csv").write_text("path,speaker,split\na.wav,a,train\n")
    table, columns = folder / "manifest.csv", "path, speaker, split, text"
    for arguments, options, message in [
        ((empty,), {}, f"{empty} has no manifest.csv, which says what is spoken; its columns are {columns}."),
        ((bare,), {}, f"{bare / 'manifest.csv'} lacks the column text; it needs {columns}."),
        ((folder,), {"without": ["zoe"]}, f"{table} has no speaker and no folder 'zoe'."),
        (
            (folder, "test"),
            {},
            f"{table} has no recording with a text of these speakers in the split 'test'; its splits are dev, train.",
        ),
    ]:
        with pytest.raises(UsageError) as caught:
            find_utterances(*arguments, **options)
        assert str(caught.value) == message


def test_words_of_one_character_are_symbols() -> None:
    assert not are_spelled(["3 5 7", "2"])
    assert are_spelled(["3 5 7", "two"])
    assert symbols_of("3 5", spelled=False) == ("3", "5")
    assert symbols_of("a cat", spelled=True) == ("a", " ", "c", "a", "t")


@given(st.lists(st.text("abc'", min_size=1, max_size=3), max_size=4))
def test_symbols_make_up_the_words_they_are_of(words: list[str]) -> None:
    text = " ".join(words)
    spelled = are_spelled([text])
    assert tuple("".join(s if spelled else f" {s}" for s in symbols_of(text, spelled)).split()) == tuple(words)
