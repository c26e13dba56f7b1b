"""`unbraid attention`: a page or a sentence, and nothing half-written."""

from pathlib import Path

import pytest

from engine_fakes import write_model
from side_fakes import WRITERS, side_spec

pytest.importorskip("onnx")


@pytest.fixture
def speller(tmp_path: Path) -> Path:
    """From letters a to e to capitals A to G."""
    write_model(tmp_path / "tiny", side_spec(WRITERS["text to text"]))
    return tmp_path / "tiny"


def test_a_page_is_written(unbraid_command, speller: Path, here: Path, tree) -> None:
    outcome = unbraid_command("attention", speller, "bad", "-o", "deep/er/page.html", "--target", "ab")
    assert (outcome.code, outcome.out, outcome.err) == (0, "page: deep/er/page.html\n", "")
    assert tree() == ["deep/er/page.html"]
    text = (here / "deep/er/page.html").read_text(encoding="utf-8")
    assert "<h1>bad</h1>" in text
    assert "<dt>Given as written</dt><dd>AB</dd>" in text


def test_a_page_that_exists_is_kept_unless_it_is_to_be_replaced(unbraid_command, speller: Path, here: Path) -> None:
    (here / "attention.html").write_text("mine")
    outcome = unbraid_command("attention", speller, "bad")
    assert outcome.code == 2
    assert outcome.errors == ["error: attention.html exists already; choose another place with -o, or use --overwrite."]
    assert (here / "attention.html").read_text() == "mine"
    assert unbraid_command("attention", speller, "bad", "--overwrite").code == 0
    assert "<h1>bad</h1>" in (here / "attention.html").read_text(encoding="utf-8")
    assert unbraid_command("attention", speller, "bad", "-o", ".").errors == [
        "error: . is a folder; name a file with -o."
    ]


def test_audio_is_called_by_its_name_and_what_is_cut_is_told(
    unbraid_command, tmp_path, tone, here, monkeypatch
) -> None:
    write_model(tmp_path / "heard", side_spec(WRITERS["spectrogram to text"]))
    tone("sub/a.wav", 0.4)
    monkeypatch.setattr("unbraid.tasks.attention.MOST_SECONDS", 0.1)
    outcome = unbraid_command("attention", tmp_path / "heard", "sub/a.wav", "--start", 0.1)
    assert outcome.code == 0
    assert outcome.errors == ["only 0.1 s are shown; choose which with --start and --duration."]
    assert "<h1>a.wav</h1>" in (here / "attention.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["b9d"], 2, "tiny-sides cannot read '9' in 'b9d'; its symbols are abcde."),
        ([""], 2, "There is nothing to read; give tiny-sides a text."),
        (["bad", "--target", "A?"], 2, "tiny-sides cannot write '?' in 'A?'; its symbols are ABCDEFG."),
    ],
)
def test_nothing_is_written_where_it_cannot_be(unbraid_command, speller, tree, words, code, message) -> None:
    outcome = unbraid_command("attention", speller, *words)
    assert (outcome.code, outcome.errors) == (code, [f"error: {message}"])
    assert tree() == []


def test_damaged_audio(unbraid_command, tmp_path, here, tree) -> None:
    write_model(tmp_path / "heard", side_spec(WRITERS["spectrogram to text"]))
    (here / "bad.wav").write_bytes(b"not audio at all")
    outcome = unbraid_command("attention", tmp_path / "heard", "bad.wav")
    assert outcome.code == 1
    assert len(outcome.errors) == 1 and "bad.wav" in outcome.errors[0]
    assert tree() == ["bad.wav"]
