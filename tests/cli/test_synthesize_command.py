"""`unbraid synthesize`: a file for a text, and the sentences for what cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from speaking_fakes import FakeVocoder, synthesizer
from unbraid import audio
from unbraid.files.bounded import MOST_TEXT_BYTES


@pytest.fixture
def speaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for every model."""
    monkeypatch.setattr(
        "unbraid.tasks.synthesis.synthesizer.Synthesizer", lambda model, **_: synthesizer(FakeVocoder())
    )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_text_becomes_a_file(unbraid_command, speaking, here: Path) -> None:
    outcome = unbraid_command("synthesize", "Ab", "1.", "-o", "deep/out.flac")
    sound, rate = audio.read(here / "deep" / "out.flac")
    assert (rate, sound.shape[0]) == (8000, 1)
    seconds = sound.shape[1] / rate
    assert (outcome.code, outcome.out, outcome.err) == (0, f"deep/out.flac: {seconds:.1f} s at 8000 Hz\n", "")
    assert files(here / "deep") == ["out.flac"]
    assert files(here) == ["deep"]


def test_text_of_standard_input_and_of_files(unbraid_command, speaking, here: Path) -> None:
    (here / "text.txt").write_text("\ufeffAb\n1.", encoding="utf-8")
    unbraid_command("synthesize", "ab 1", "-o", "a.wav")
    unbraid_command("synthesize", "-", "-o", "b.wav", stdin=b"ab\n1\n")
    unbraid_command("synthesize", "--file", "text.txt", "-o", "c.wav")
    assert (here / "a.wav").read_bytes() == (here / "b.wav").read_bytes() == (here / "c.wav").read_bytes()


def test_standard_output_is_a_wav_that_comes_sentence_by_sentence(unbraid_command, speaking, here: Path) -> None:
    unbraid_command("synthesize", "Ab. 1.", "-o", "a.flac", "--subtype", "24")
    outcome = unbraid_command("synthesize", "Ab. 1.", "-o", "-")
    assert (outcome.code, outcome.err) == (0, "")
    (here / "piped.wav").write_bytes(outcome.bytes)
    (piped, rate), (written, _) = audio.read(here / "piped.wav"), audio.read(here / "a.flac")
    assert rate == 8000
    np.testing.assert_allclose(piped, written, atol=2**-23)
    assert files(here) == ["a.flac", "piped.wav"]


def test_json_and_quiet(unbraid_command, speaking, here: Path) -> None:
    told = json.loads(unbraid_command("synthesize", "ax", "-o", "a.wav", "--json", "-q").out)
    assert told == {
        "output": "a.wav", "seconds": 2.0, "sample_rate": 8000, "model": "speak", "vocoder": None,
        "notice": "voice found no end of 'ax.'; it was cut off after 2.0 s",
    }  # fmt: skip
    outcome = unbraid_command("synthesize", "a", "-o", "b.wav", "-q")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_what_was_cut_off_is_told(unbraid_command, speaking) -> None:
    outcome = unbraid_command("synthesize", "ax", "-o", "a.wav")
    assert outcome.errors == ["warning: voice found no end of 'ax.'; it was cut off after 2.0 s"]


ENDINGS = ".wav, .flac, .ogg, .opus, .mp3, .m4a"
SIGNS = (
    "€ cannot be said; texts are made of English words, the digits 0 to 9 and punctuation. Write numbers and signs out "
    "as words."
)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Give a text, - for standard input, or --file FILE; one of them."),
        (("a", "--file", "b.txt"), "Give a text, - for standard input, or --file FILE; one of them."),
        (("a", "-o", "out.txt"), f"out.txt does not end like an audio file; end it in {ENDINGS}."),
        (("a", "-o", "there.wav"), "there.wav exists already; choose another place with -o, or use --overwrite."),
        (("a", "-o", "-", "--subtype", "16"), "-o - writes one float32 WAV to standard output; leave --subtype and "
         "--bitrate out, or name a file with -o."),
        ((", .", "-o", "-"), "There are no words in this text; give at least one."),
        ((", .", "-o", "a.wav"), "There are no words in this text; give at least one."),
        (("2 €", "-o", "a.wav"), SIGNS),
        (("--file", "there.wav", "-o", "a.wav"), "there.wav: this is not text in UTF-8; convert it first."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_written(unbraid_command, speaking, here, words, sentence) -> None:
    (here / "there.wav").write_bytes(b"\xff\xfe\xff")
    outcome = unbraid_command("synthesize", *words)
    assert (outcome.code, outcome.out, outcome.errors) == (2, "", [f"error: {sentence}"])
    assert files(here) == ["there.wav"]


@pytest.mark.parametrize("words", [("-",), ("--file", "long.txt")])
def test_a_text_without_end_is_refused(unbraid_command, speaking, here: Path, words) -> None:
    text = b"a " * (MOST_TEXT_BYTES // 2 + 1)
    (here / "long.txt").write_bytes(text)
    outcome = unbraid_command("synthesize", *words, "-o", "a.wav", stdin=text)
    place = "standard input" if words == ("-",) else "long.txt"
    sentence = f"error: {place}: it is larger than the limit of 4194304 bytes; say it in parts."
    assert (outcome.code, outcome.errors, files(here)) == (2, [sentence], ["long.txt"])


def test_json_and_a_wav_do_not_share_standard_output(unbraid_command, speaking) -> None:
    sentence = "--json and -o - both write to standard output; choose one of them."
    outcome = unbraid_command("synthesize", "a", "-o", "-", "--json")
    assert (outcome.code, json.loads(outcome.out), outcome.errors) == (2, {"error": sentence}, [f"error: {sentence}"])


def test_a_text_that_fails_halfway_leaves_nothing(unbraid_command, here: Path, monkeypatch) -> None:
    class Broken(FakeVocoder):
        def __call__(self, levels):
            raise MemoryError

    monkeypatch.setattr("unbraid.tasks.synthesis.synthesizer.Synthesizer", lambda model, **_: synthesizer(Broken()))
    outcome = unbraid_command("synthesize", "a", "-o", "deep/a.wav")
    assert (outcome.code, files(here)) == (1, [])


def test_overwriting_is_asked_for(unbraid_command, speaking, here: Path) -> None:
    (here / "a.wav").write_bytes(b"old")
    assert unbraid_command("synthesize", "a", "-o", "a.wav", "--overwrite").code == 0
    assert audio.read(here / "a.wav")[1] == 8000


def test_models_of_other_tasks_are_refused(unbraid_command, here: Path) -> None:
    outcome = unbraid_command("synthesize", "a", "-m", "g2p", "-o", "a.wav")
    assert outcome.errors == [
        "error: g2p does not write spectrograms step by step; choose an audio Transformer that does."
    ]
    assert files(here) == []
