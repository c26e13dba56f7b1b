"""Texts and recordings: the fakes hear a tone as a digit, or as a letter."""

import io
from pathlib import Path

import numpy as np
import pytest

import unbraid
import whisper_fakes
from recognizer_fakes import LETTERS, RATE, FakeEars, ctc_spec, ears, say, writer
from unbraid import audio
from unbraid.audio import Excerpt
from unbraid.errors import AudioError, ModelNotFound, UsageError
from unbraid.hub.spec import Windows
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.alignment.models import model_for
from unbraid.tasks.transcription.ctc_recognizer import CtcRecognizer

STEP = 0.02


def times(alignment: unbraid.Alignment) -> list[tuple[str, float, float]]:
    return [(word.text, round(word.start, 2), round(word.end, 2)) for word in alignment.words]


def test_words_have_the_times_of_their_tones() -> None:
    heard = Aligner(ears())("3 1\n4", say(None, 3, 1, 4), RATE)
    assert times(heard) == [("3", 0.3, 0.5), ("1", 0.6, 0.8), ("4", 0.9, 1.1)]
    assert [line.text for line in heard.lines] == ["3 1", "4"]
    assert heard.words[0].confidence > 0.95
    assert (heard.model, heard.notice, heard.not_in_text) == ("tiny-ears", None, ())
    assert heard.seconds == pytest.approx(1.2)


@pytest.mark.parametrize("recognizer", [ears, writer, lambda: writer("spectrogram")])
def test_windows_change_nothing(recognizer) -> None:
    """Half a minute in windows of 4 s, whose words lie within two steps of where they are."""
    tones = [int(tone) for tone in np.random.default_rng(4).integers(0, 10, 100)]
    text = "\n".join(" ".join(map(str, tones[i : i + 10])) for i in range(0, 100, 10))
    heard = Aligner(recognizer())(text, say(*tones), RATE)
    assert not heard.not_found
    starts = np.array([word.start for word in heard.words])
    assert np.abs(starts - 0.3 * np.arange(100)).max() <= 2 * STEP


def test_a_line_that_nobody_says_is_not_found() -> None:
    heard = Aligner(ears())("3 1\n7 7 7 7\n4 1", say(3, 1, 4, 1), RATE)
    assert [line.found for line in heard.lines] == [True, False, True]
    assert heard.notice == "1 of 3 lines was not found: line 2 (7 7 7 7)"
    assert [start for _, start, _ in times(heard)] == [0.0, 0.3, 0.6, 0.9]


def test_what_is_not_in_the_text_is_a_gap() -> None:
    heard = Aligner(ears())("3 1\n4 1", say(3, 1, *[5, 6, 8] * 3, 4, 1), RATE)
    assert [line.found for line in heard.lines] == [True, True]
    assert (heard.lines[0].end, heard.lines[1].start) == (pytest.approx(0.5), pytest.approx(3.3))
    ((start, end),) = heard.not_in_text
    assert (start, end) == (pytest.approx(0.6, abs=STEP), pytest.approx(3.2, abs=STEP))
    assert heard.notice == "something is said that the text does not have: 0:00 to 0:03"


def test_letters_make_words() -> None:
    spec = ctc_spec(symbols=LETTERS)
    lettered = CtcRecognizer(LetterEars(), spec)
    heard = Aligner(lettered)("Ab, – bé!\n", say(1, 2, 0, 2, 5), RATE)  # a b, a blank, b e
    assert [(word, start) for word, start, _ in times(heard)] == [("Ab, –", 0.0), ("bé!", 0.9)]
    assert heard.lines[0].text == "Ab, – bé!"


class LetterEars(FakeEars):
    """Tone 0 is a blank between words, 1 an a, 2 a b, …."""

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"logits": super().run(inputs)["logits"][..., : len(LETTERS)]}


def test_unknown_letters_are_told() -> None:
    heard = Aligner(CtcRecognizer(LetterEars(), ctc_spec(symbols=LETTERS)))("ab ∆xж a", say(1, 2, 0, 1), RATE)
    assert [word.text for word in heard.words] == ["ab", "∆xж", "a"]
    assert heard.words[1].start == heard.words[0].end
    assert heard.words[1].end == heard.words[2].start
    assert heard.notice == (
        "tiny-ears lacks letters of 1 word, such as '∆xж'; their other letters time them, or the words around them"
    )


def test_an_excerpt_has_the_times_of_the_file(tmp_path: Path) -> None:
    place = tmp_path / "a.wav"
    audio.write(place, say(9, 9, 9, 3, 1, 4), RATE, audio.choose_format("wav"))
    heard = Aligner(ears()).file("3 1 4", place, Excerpt(start=0.9))
    assert [start for _, start, _ in times(heard)] == [0.9, 1.2, 1.5]
    assert heard.seconds == pytest.approx(1.8)


def test_a_song_is_heard_through_its_vocals() -> None:
    """A separator that takes away one channel's tones: what is left is aligned."""
    song = np.concatenate((say(3, 1, 4), say(8, 8, 8, level=0.4)))

    class Separator:
        spec, has_run = ctc_spec(), False

        def stems(self) -> tuple[str, ...]:
            return ("vocals", "other")

        def separated(self, track, progress, diagnostics):
            self.has_run = True
            return ({"vocals": block[:1], "other": block[1:]} for block in track.blocks())

    heard = Aligner(ears())("3 1 4", song, RATE, separator=(separator := Separator()))
    assert separator.has_run
    assert [start for _, start, _ in times(heard)] == [0.0, 0.3, 0.6]
    with pytest.raises(AudioError, match=r"^No line of the text was found: "):
        Aligner(ears())("3 1 4", song, RATE)


LACKS = (
    "tiny-ears does not write most of this text, such as {!r}; its symbols are 0 1 2 3 4 5 6 7 8 9. Choose a model of "
    "the text's language with -m."
)


@pytest.mark.parametrize(
    ("text", "sound", "error", "message"),
    [
        (
            "",
            say(3),
            UsageError,
            "The text has no line that anybody could say: it is empty, or holds headings only; give the words of the "
            "recording.",
        ),
        ("hello there", say(3), UsageError, LACKS.format("hello")),
        ("日本", say(3), UsageError, LACKS.format("日")),
        (
            "3 1",
            np.zeros((1, 9000), np.float32),
            AudioError,
            "Nothing is said in it: it is silent or has no voice, so that no line can be found.",
        ),
        (
            "3 1 " * 100,
            say(3, 1),
            AudioError,
            "The recording lasts 0.6 s, and the text takes at least 4.0 s; give the text of this part alone, or the "
            "whole recording.",
        ),
        (
            "7 7 7",
            say(3, 1, 4),
            AudioError,
            "No line of the text was found: the text or its language is another, or the voice is not clear enough for "
            "tiny-ears. Of a song, the vocals are heard best alone: use --vocals (vocals=True).",
        ),
    ],
)
def test_what_cannot_be_aligned(text: str, sound: np.ndarray, error: type, message: str) -> None:
    with pytest.raises(error) as raised:
        Aligner(ears())(text, sound, RATE)
    assert str(raised.value) == message


def test_bad_audio() -> None:
    for bad in (np.full((1, 800), np.nan, np.float32), np.zeros((1, 0), np.float32)):
        with pytest.raises(AudioError):
            Aligner(ears())("3", bad, RATE)


def test_models_that_cannot_align() -> None:
    with pytest.raises(
        UsageError, match=r"^.* has no CTC output, which tells when each symbol is said; for times of a "
    ):
        Aligner(whisper_fakes.recognizer(lambda *_: []))
    with pytest.raises(
        UsageError, match=r"^tiny-writer has no CTC output, which tells when each symbol is said; for times"
    ):
        Aligner(writer(ctc=False))
    with pytest.raises(UsageError, match=r"^The threshold is a log probability from -1000 to below 0, not 0\.$"):
        Aligner(ears(), threshold=0)


def test_the_threshold_decides() -> None:
    sound = say(3, 1, 4)
    strict, lax = Aligner(ears(), threshold=-0.001), Aligner(ears(), threshold=-500)
    assert len(lax("3 1 4\n7", sound, RATE).not_found) == 0
    assert len(strict("3 1 4\n7", sound, RATE).not_found) == 1


def test_the_model_is_one_that_has_the_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.tasks.alignment.models.entries", lambda: [])
    assert model_for("3 one 4") == "digits"
    with pytest.raises(ModelNotFound) as error:
        model_for("hello")
    assert str(error.value) == (
        "No model on this machine has the letters of this text. Get one for English with `unbraid models pull "
        "facebook/wav2vec2-base-960h`, or import a Wav2Vec2 of its language with `unbraid models import`, and name it "
        "with -m."
    )


def test_one_call_with_a_file_an_array_and_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.tasks.api.Aligner", lambda model, device: Aligner(ears(name=model)))
    (tmp_path / "text.txt").write_text("3 1 4")
    audio.write(place := tmp_path / "a.wav", say(3, 1, 4), RATE, audio.choose_format("wav"))
    for recording in (place, str(place), io.BytesIO(place.read_bytes())):
        assert len(unbraid.align(str(tmp_path / "text.txt"), recording).words) == 3
    heard = unbraid.align("3 1 4", say(3, 1, 4), sample_rate=RATE, vocals=False)
    assert heard.model == "digits"
    with pytest.raises(UsageError):
        unbraid.align("3 1 4", say(3, 1, 4))


def test_windows_longer_than_the_recording() -> None:
    assert len(Aligner(ears(windows=Windows(60.0, 10.0)))("3", say(3), RATE).words) == 1
