"""Recordings of any length, rate and channels, written down: with stand-ins that hear tones as digits."""

import dataclasses
import gc
import io
import tracemalloc
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unbraid.tasks.api
import unbraid.tasks.transcription.transcriber
from engine_fakes import noise
from recognizer_fakes import LETTERS, RATE, STEP, FakeEars, ctc_spec, ears, hertz, say, writer
from unbraid.audio import resample
from unbraid.errors import AudioError, Cancelled, ModelNotFound, UsageError
from unbraid.hub.folder import write_texts
from unbraid.hub.spec import Vocabularies, Windows
from unbraid.runtime.executor import Engine
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.stream import Track
from unbraid.tasks.transcription.ctc_recognizer import CtcRecognizer
from unbraid.tasks.transcription.decoder_recognizer import LEAD_SECONDS, DecoderRecognizer
from unbraid.tasks.transcription.recognizer import Recognizer, find_reader
from unbraid.tasks.transcription.transcriber import Transcriber

LONG = [i * 7 % 10 for i in range(100)]  # digits: 30 s
KINDS = {"steps": ears, "decoder": writer, "spectrogram": lambda **spec: writer("spectrogram", **spec)}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest):
    return KINDS[request.param]


def text(tones: list[int]) -> str:
    return " ".join(map(str, tones))


def test_digits_are_words_with_times(kind) -> None:
    transcript = Transcriber.over(kind())(say(3, 1, 4, 1, 5), RATE)
    assert (transcript.text, transcript.notice) == ("3 1 4 1 5", None)
    assert transcript.model == kind().spec.name
    for i, word in enumerate(transcript.words):
        assert word.start == pytest.approx(0.3 * i, abs=2 * STEP / RATE)
        assert word.end == pytest.approx(0.3 * i + 0.2, abs=2 * STEP / RATE)
        assert 0.9 < word.confidence <= 1


@pytest.mark.parametrize("windows", [Windows(100, 10), Windows(4, 1), Windows(4.1, 2), Windows(2.51, 0.77)])
def test_windows_say_what_the_whole_says(kind, windows: Windows) -> None:
    found = Transcriber.over(kind(windows=windows))(say(*LONG), RATE)
    assert found.text == text(LONG)
    starts = [word.start for word in found.words]
    np.testing.assert_allclose(starts, 0.3 * np.arange(100), atol=2 * STEP / RATE)


@pytest.mark.parametrize("samples", [1, STEP - 1, STEP, RATE, 4 * RATE, 4 * RATE + 1, 7 * RATE, 7 * RATE + STEP + 1])
def test_any_length_is_heard_to_its_end(kind, samples: int) -> None:
    audio = np.tile(say(*range(10)), 10)[:, -samples:]
    whole = Transcriber.over(kind(windows=Windows(100, 1)))(audio, RATE)
    found = Transcriber.over(kind())(audio, RATE)
    assert found.text == whole.text


def test_beams_find_the_same_where_it_is_clear(kind) -> None:
    assert Transcriber.over(kind(), beams=3)(say(*LONG[:20]), RATE).text == text(LONG[:20])
    assert Transcriber.over(kind(), beams=1)(say(*LONG[:20]), RATE).text == text(LONG[:20])


def test_letters_are_words_between_blanks() -> None:
    """Tone 0 is the blank between words here, tones 1 to 9 are a to i."""
    letters = Transcriber.over(ears(symbols=LETTERS[:14]))
    transcript = letters(say(3, 1, 2, 0, 0, 4, 9, 0, 8, seconds=0.1, rest=0.02), RATE)
    assert transcript.text == "cab di h"
    assert [round(word.start, 2) for word in transcript.words] == [0.0, 0.6, 0.96]
    assert transcript.words[0].end == pytest.approx(0.34, abs=0.021)


def test_a_pause_ends_a_word() -> None:
    letters = Transcriber.over(ears(symbols=LETTERS[:14]))
    assert letters(np.concatenate((say(1, 2), say(None, seconds=1), say(3)), 1), RATE).text == "ab c"


def test_any_rate_and_channels(kind) -> None:
    audio = say(2, 7, 1)
    transcriber = Transcriber.over(kind())
    assert transcriber(resample(audio, RATE, 22050), 22050).text == "2 7 1"
    assert transcriber(np.concatenate((audio, 0.2 * audio)).astype(np.float64), RATE).text == "2 7 1"
    assert transcriber(np.concatenate((say(2, None, 1), say(None, 7, None))), RATE).text == "2 7 1"


def test_files_are_streams_of_words_at_their_times(kind, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tones.wav", np.repeat(say(*LONG), 2, axis=0).T, RATE, subtype="FLOAT")
    transcriber, told = Transcriber.over(kind()), []
    words = list(transcriber.stream(tmp_path / "tones.wav", progress=lambda *at: told.append(at)))
    assert [word.text for word in words] == text(LONG).split()
    assert told[-1] == (30.0, 30.0)
    file = io.BytesIO((tmp_path / "tones.wav").read_bytes())
    part = list(transcriber.stream(file, start=6.0, duration=3.0))
    assert [word.text for word in part] == text(LONG[20:30]).split()
    assert part[0].start == pytest.approx(6.0, abs=0.05)


def test_the_caller_can_stop(kind, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tones.wav", say(1)[0], RATE)

    def stop(*_: object) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        list(Transcriber.over(kind()).stream(tmp_path / "tones.wav", progress=stop))


def test_silence_has_no_words_and_does_not_reach_the_network(kind) -> None:
    recognizer = kind()
    hour = np.zeros((1, 3600 * RATE), np.float32)
    assert Transcriber.over(recognizer)(hour, RATE).words == ()
    assert recognizer._network.lengths == []
    assert Transcriber.over(kind())(noise(1, RATE) * 1e-3, RATE).words == ()
    between = np.concatenate((say(4), hour[:, : 60 * RATE], say(2)), 1)
    found = Transcriber.over(kind())(between, RATE)
    assert found.text == "4 2"
    assert found.words[1].start == pytest.approx(60.3, abs=0.05)


def test_long_audio_is_heard_in_windows(kind) -> None:
    recognizer = kind()
    seconds = 4 + 2 * LEAD_SECONDS * isinstance(recognizer, DecoderRecognizer)
    steps = RATE * seconds if recognizer.hears_samples else RATE * seconds / 80
    found = Transcriber.over(recognizer)(np.tile(say(*LONG), 6), RATE)
    assert found.text == text(LONG * 6)
    assert max(recognizer._network.lengths) <= steps


def test_above_a_stated_length_the_spectrogram_is_read() -> None:
    short, long = say(*LONG[:10]), say(*LONG)
    for first in (ears(), writer(name="waves")):
        transcriber = Transcriber.over(first, long=writer("spectrogram", name="mel"), long_seconds=10)
        assert transcriber(short, RATE).notice is None
        transcript = transcriber(long, RATE)
        assert transcript.text == text(LONG)
        assert transcript.model == "mel"
        assert transcript.notice == (
            f"audio longer than 10 s is read by mel, as a spectrogram, not by {first.spec.name}"
        )
        assert transcriber(short, RATE).notice is None
    reads_spectrograms = Transcriber.over(writer("spectrogram"), long=writer("spectrogram"), long_seconds=10)
    assert reads_spectrograms(long, RATE).notice is None


def test_the_model_for_long_audio_is_opened_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_recognizer(model: str, **options: object) -> Recognizer:
        opened.append((model, options))
        return writer("spectrogram", name=model) if model == "mel" else ears(name=model)

    with pytest.raises(ModelNotFound, match="'mel'"):
        Transcriber("base", long_model="mel")
    monkeypatch.setattr(unbraid.tasks.transcription.transcriber, "open_recognizer", open_recognizer)
    monkeypatch.setattr(unbraid.tasks.transcription.transcriber, "resolve", Path)
    with Transcriber("base", device="cpu", threads=1, long_model="mel", long_seconds=10) as transcriber:
        assert transcriber(say(1), RATE).text == "1"
        assert [model for model, _ in opened] == ["base"]
        assert transcriber(say(*LONG), RATE).model == transcriber(say(*LONG), RATE).model == "mel"
    assert opened == [(model, {"engine": Engine("cpu", threads=1), "whisper": None}) for model in ("base", "mel")]
    with Transcriber("base", long_model="other") as transcriber, pytest.raises(UsageError) as caught:
        transcriber(np.tile(say(*LONG), 5), RATE)
    assert str(caught.value) == (
        "other reads waveforms, as base does; for long audio choose a model that reads spectrograms."
    )


def test_a_model_that_is_here_and_writes_the_same_takes_over_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path))
    waves, mel = writer().spec, writer("spectrogram", name="mel").spec
    assert mel.vocabularies is not None
    symbols = mel.vocabularies.target[:-1]
    own = Vocabularies((), (*symbols, "own"))  # the model inside the package writes digits
    waves, mel = dataclasses.replace(waves, vocabularies=own), dataclasses.replace(mel, vocabularies=own)
    assert find_reader(waves) is None
    folder = tmp_path / "models" / "mel"
    folder.mkdir(parents=True)
    write_texts(folder, mel)
    assert find_reader(waves) == folder
    others = Vocabularies((), (*symbols, "other"))
    assert find_reader(dataclasses.replace(waves, vocabularies=others)) is None


def test_it_is_closed_with_its_networks() -> None:
    network, long = FakeEars(), writer("spectrogram")
    with Transcriber.over(CtcRecognizer(network, ctc_spec()), long=long, long_seconds=1) as transcriber:
        assert (transcriber.device, transcriber.device_reason) == ("fake", "a test asked for it")
        transcriber(say(*LONG[:10]), RATE)
    assert network.closed
    assert long._network.closed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "At least one beam is needed, got 0."),
        ({"long_seconds": 0}, "long_seconds is a number above 0, not 0."),
        ({"long_seconds": float("nan")}, "long_seconds is a number above 0, not nan."),
    ],
)
def test_values_that_make_no_sense(options, message) -> None:
    with pytest.raises(UsageError) as caught:
        Transcriber.over(ears(), **options)
    assert str(caught.value) == message
    with pytest.raises(UsageError, match=message[:20]):
        Transcriber("nothing", **options)


def test_audio_that_is_none(tmp_path: Path) -> None:
    transcriber = Transcriber.over(ears())
    with pytest.raises(AudioError, match=r"^Audio of shape \(1, 0\) is empty\.$"):
        transcriber(np.zeros((1, 0), np.float32), RATE)
    with pytest.raises(AudioError, match=r"^Audio must be an array \(channels, samples\), got shape \(8,\); "):
        transcriber(np.zeros(8, np.float32), RATE)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty\.wav is empty: it holds no bytes\. "):
        list(transcriber.stream(tmp_path / "empty.wav"))
    (tmp_path / "text.wav").write_text("words, words")
    with pytest.raises(AudioError, match=r"text\.wav is not audio that can be read "):
        list(transcriber.stream(tmp_path / "text.wav"))


def test_tones_lie_apart() -> None:
    assert min(hertz(tone + 1) - hertz(tone) for tone in range(9)) > RATE / STEP


def peak_bytes(recognizer: CtcRecognizer | DecoderRecognizer, blocks: int) -> int:
    """The most that is allocated while so many blocks of tones and rests, at another rate, are written down."""
    block = resample(say(*LONG[:10], None, None, None), RATE, 2 * RATE)  # 3.9 s
    recognizer._network.lengths = deque(maxlen=1)

    def track() -> Iterator[np.ndarray]:
        for i in range(blocks):
            if i % 10 == 0:
                gc.collect()  # Python's lists of free objects would count as growth
            yield block.copy()

    tracemalloc.start()
    try:
        opened = Track(2 * RATE, 1, blocks * block.shape[1], track)
        words = Transcriber.over(recognizer)._words(recognizer, opened, None, Diagnostics("fake"))
        assert sum(1 for _ in words) == 10 * blocks
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [ears, writer])
def test_memory_does_not_grow_with_length(kind) -> None:
    peak_bytes(kind(), 2)  # whatever is kept for good
    assert peak_bytes(kind(), 15) <= 1.1 * peak_bytes(kind(), 4)


def test_one_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        unbraid.tasks.api, "Transcriber", lambda model, device, precision: Transcriber.over(ears(name=str(model)))
    )
    soundfile.write(tmp_path / "tones.wav", say(3, 1)[0], RATE, subtype="FLOAT")
    for source in (tmp_path / "tones.wav", io.BytesIO((tmp_path / "tones.wav").read_bytes())):
        found = unbraid.transcribe(source)
        assert (found.text, found.model) == ("3 1", "digits")
    assert unbraid.transcribe(say(3, 1), "mine", sample_rate=RATE) == dataclasses.replace(found, model="mine")
    other = Transcriber.over(ears(), long=writer("spectrogram", name="mel"), long_seconds=0.1)
    monkeypatch.setattr(unbraid.tasks.api, "Transcriber", lambda model, device, precision: other)
    assert unbraid.transcribe(tmp_path / "tones.wav").model == "mel"  # that heard it
    with pytest.raises(UsageError, match=r"^An array needs its sample rate: transcribe\(audio, sample_rate=44100\)\.$"):
        unbraid.transcribe(say(3, 1))
    with pytest.raises(UsageError, match=r"^A file has its own sample rate; sample_rate goes with an array\.$"):
        unbraid.transcribe(tmp_path / "tones.wav", sample_rate=RATE)
