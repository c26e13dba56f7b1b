"""One window of audio through a network that hears: steps, texts, times, and models of other tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine_fakes import music_spec, noise, speech_spec, text_spec, write_model
from recognizer_fakes import (
    DIGITS,
    RATE,
    STEP,
    SURE,
    FakeEars,
    FakeWriter,
    ctc_spec,
    ears,
    hertz,
    say,
    writer,
    writer_spec,
)
from unbraid.errors import ModelNotFound, UsageError
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.models.audio_transformer.config import AudioTransformerConfig, WaveSide
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.runtime import Engine, Executor, open_executor
from unbraid.tasks.decoding.ctc import Span, greedy
from unbraid.tasks.loading import check_task
from unbraid.tasks.transcription.ctc_recognizer import CtcRecognizer
from unbraid.tasks.transcription.decoder_recognizer import LEAD_SECONDS, DecoderRecognizer
from unbraid.tasks.transcription.transcriber import open_recognizer


def digits(spans: list[Span]) -> str:
    return "".join(DIGITS[span.symbol] for span in spans)


def test_steps_say_what_is_heard() -> None:
    recognizer = ears()
    log_probs = recognizer.log_probs(say(3, 1, 4)[0])
    assert log_probs.shape == (45, len(DIGITS))
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)
    assert digits(greedy(log_probs)) == "314"


def test_steps_of_published_sizes() -> None:
    """49 steps in a second, and 400 samples for the first one (arXiv 2006.11477, section 4.2)."""
    spec = ctc_spec()
    symbols = spec.vocabularies and len(spec.vocabularies.target)
    published = ModelSpec(
        "base", "wav2vec2", 16000, 1, (), Wav2Vec2Config(symbols or 0), "MIT", "a test",
        windows=Windows(), vocabularies=spec.vocabularies,
    )  # fmt: skip
    recognizer = CtcRecognizer(FakeEars(), published)
    assert [recognizer.steps(samples) for samples in (1, 400, 719, 720, 16000)] == [1, 1, 1, 2, 49]


def test_a_window_shorter_than_a_step_is_filled_up() -> None:
    assert ears().log_probs(np.ones(3, np.float32)).shape[0] == 1
    assert writer().steps(3) == 1
    assert writer().read(np.zeros(3, np.float32), 2) == []


@pytest.mark.parametrize("source", ["waveform", "spectrogram"])
def test_the_decoder_writes_and_ctc_says_when(source: str) -> None:
    spans = writer(source).read(say(5, 5, 9)[0], 2)
    assert digits(spans) == "559"
    step = STEP / RATE
    for span, start in zip(spans, (0.0, 0.3, 0.6), strict=True):
        assert span.start * step == pytest.approx(start, abs=2 * step)
        assert span.end * step == pytest.approx(start + 0.2, abs=2 * step)
        assert span.log_probability == pytest.approx(-0.03, abs=0.005)  # 0.3 of the decoder's, CTC is sure


@pytest.mark.parametrize("source", ["waveform", "spectrogram"])
def test_silence_is_around_what_is_read_and_not_in_its_times(source: str) -> None:
    recognizer = writer(source)
    tone = say(7)[0, : round(0.2 * RATE)]  # from the first sample to the last
    (span,) = recognizer.read(tone, 1)
    assert (span.start, span.end) == (0, recognizer.steps(len(tone)))
    unit = 1 if source == "waveform" else 80
    for length in recognizer._network.lengths:
        assert length * unit == pytest.approx(len(tone) + 2 * LEAD_SECONDS * RATE, abs=STEP)


@pytest.mark.parametrize(("sureness", "text"), [((1.0, 0.02), "5"), ((0.02, 1.0), "59")])
def test_of_two_readings_half_a_step_apart_the_surer_one_counts(
    monkeypatch: pytest.MonkeyPatch, sureness: tuple[float, float], text: str
) -> None:
    """The first one does not hear the second tone; the times are its own all the same."""
    monkeypatch.setattr("unbraid.tasks.transcription.decoder_recognizer.COARSE_SECONDS", STEP / RATE)

    class TwoMinds(FakeWriter):
        items: tuple[np.ndarray, ...] = ()

        def _logits(self, item: np.ndarray) -> np.ndarray:
            if all(not np.array_equal(item, one) for one in self.items):
                self.items = (*self.items, item)
            logits = super()._logits(item)
            which = [np.array_equal(item, one) for one in self.items].index(True)
            if which == 0:
                logits[logits[:, DIGITS.index("9")] > 0] = SURE * np.eye(len(DIGITS))[0]
            return sureness[which] * logits

    network = TwoMinds(writer_spec())
    spans = DecoderRecognizer(network).read(say(5, 9)[0], 1)
    first, second = network.items
    np.testing.assert_array_equal(first[STEP // 2 :][: len(second) - STEP], second[: len(second) - STEP])
    assert digits(spans) == text
    assert spans[0].start == 0


def test_what_hums_all_the_time_is_not_read() -> None:
    audio = say(5, 9)[0]
    hum = 0.06 * np.sin(2 * np.pi * hertz(2) * np.arange(len(audio)) / RATE).astype(np.float32)
    assert digits(writer("waveform").read(audio + hum, 1)) == "5292"
    assert digits(writer("spectrogram").read(audio + hum, 1)) == "59"


def test_ctc_overrules_a_decoder_that_repeats_itself() -> None:
    stutters = writer(best_first=False)
    assert digits(stutters.read(say(5, 9)[0], 1)) == "59"  # which CTC alone proposes
    assert digits(stutters.read(say(5, 9)[0], 2)) == "59"
    assert digits(writer(best_first=False, ctc=False).read(say(5, 9)[0], 2)) == "599"


def test_without_ctc_nobody_knows_when() -> None:
    spans = writer(ctc=False).read(say(5, 9)[0], 2)
    assert [(span.start, span.end) for span in spans] == [(0, 30), (0, 30)]


def test_it_is_closed_with_its_network() -> None:
    network = FakeEars()
    with CtcRecognizer(network, ctc_spec()) as recognizer:
        assert (recognizer.device, recognizer.device_reason) == ("fake", "a test asked for it")
    assert network.closed


def denoiser_spec() -> ModelSpec:
    side = WaveSide((STEP,), (STEP,), 4)
    sizes = AudioTransformerConfig(side, side, 4, 1, 4, 1, 0)
    return ModelSpec(
        "tiny-denoiser", "audio_transformer", RATE, 1, ("speech",), sizes, "MIT", "a test", windows=Windows()
    )


@pytest.mark.parametrize(
    ("spec", "task"),
    [
        (speech_spec(), "separation"),
        (music_spec(), "separation"),
        (text_spec(), "phonemes"),
        (denoiser_spec(), "enhancement"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_models_that_do_something_else(spec: ModelSpec, task: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_task(spec, "transcription")
    told = f"The task of {spec.name} is {task}, not transcription; choose another of `unbraid models`."
    assert str(caught.value) == told


def test_models_on_disk_that_are_not_there_or_do_something_else(speech_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^The task of tiny-speech is separation, not transcription; "):
        open_recognizer(speech_folder)
    with pytest.raises(ModelNotFound):
        open_recognizer(tmp_path / "none")


@pytest.mark.parametrize("ctc", [True, False], ids=["ctc", "decoder alone"])
@pytest.mark.parametrize("source", ["waveform", "spectrogram"])
def test_a_folder_with_a_decoder_is_opened_and_heard(source: str, ctc: bool, tmp_path: Path) -> None:
    write_model(tmp_path / "model", writer_spec(source, ctc=ctc))
    with open_recognizer(tmp_path / "model", engine=Engine("cpu", threads=1)) as recognizer:
        assert isinstance(recognizer, DecoderRecognizer)
        assert recognizer.device == "cpu"
        audio = noise(1, 1001)[0]
        spans = recognizer.read(audio, 3)
        assert all(0 <= span.start < span.end <= recognizer.steps(1001) == 7 for span in spans)
        assert recognizer.read(audio, 3) == spans
        if ctc:
            log_probs = recognizer._network.ctc(recognizer._item(audio))
            assert log_probs.shape == (7, len(DIGITS))
            np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)


def test_each_reading_of_a_window_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoder, CTC, and the texts of CTC and of the other reading all ask for it."""
    runs: list[str] = []

    def counting(*args: Any, graph: str, **options: Any) -> Executor:
        executor = open_executor(*args, graph=graph, **options)
        run = executor.run
        executor.run = lambda inputs: (runs.append(graph), run(inputs))[1]  # type: ignore[method-assign]
        return executor

    monkeypatch.setattr("unbraid.tasks.loading.open_executor", counting)
    write_model(tmp_path / "model", writer_spec())
    with open_recognizer(tmp_path / "model", engine=Engine("cpu", threads=1)) as recognizer:
        assert isinstance(recognizer, DecoderRecognizer)
        recognizer.read(noise(1, 1001)[0], 2)
        assert runs.count("encoder") == 1
        monkeypatch.setattr("unbraid.tasks.transcription.decoder_recognizer.COARSE_SECONDS", STEP / RATE)
        recognizer.read(noise(1, 801)[0], 2)
        assert runs.count("encoder") == 1 + 2


def test_a_wav2vec2_folder_is_opened_and_heard(tmp_path: Path) -> None:
    write_model(tmp_path / "model", ctc_spec())
    with open_recognizer(tmp_path / "model", engine=Engine("cpu", threads=1)) as recognizer:
        assert isinstance(recognizer, CtcRecognizer)
        for samples in (100, 160, 1001):
            log_probs = recognizer.log_probs(noise(1, samples)[0])
            assert log_probs.shape == (recognizer.steps(samples), len(DIGITS))
            np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)
