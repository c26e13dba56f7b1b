"""`unbraid live`: pipes and devices, and refusals in words."""

import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import LIVE, live_spec, noise, speech_spec, write_model
from unbraid.audio.live_wav import LiveFormat
from unbraid.cli.live_latency import measured
from unbraid.tasks.live import LiveSeparator

pytest.importorskip("onnx")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "live", live_spec())
    return tmp_path / "live"


def wav(x: np.ndarray, rate: int = 8000, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, x.T, rate, subtype, format="WAV")
    return file.getvalue()


def expected(model: Path, x: np.ndarray, rate: int = 8000) -> np.ndarray:
    """The stems on channels one after the other, in time with the input."""
    with LiveSeparator(model, sample_rate=rate, channels=len(x), delayed=False) as live:
        stems = np.concatenate((live.push(x), live.flush()), -1)
    return stems.reshape(-1, x.shape[1])


@pytest.mark.parametrize(("rate", "channels", "at_once"), [(8000, 1, 1 << 16), (16000, 2, 1 << 16), (8000, 2, 37)])
def test_a_wav_pipe_gives_a_wav_as_long(unbraid_command, model, monkeypatch, rate, channels, at_once):
    monkeypatch.setattr("unbraid.cli.live_streams.PIPE_BYTES", at_once)  # a recorder gives few bytes at a time
    x = np.round(noise(channels, 5000) * 3000) / 32768
    outcome = unbraid_command("live", "-", "-m", model, stdin=wav(x, rate))
    assert (outcome.code, outcome.err) == (0, "")
    made, found = soundfile.read(io.BytesIO(outcome.bytes), dtype="float32")
    assert found == rate
    np.testing.assert_allclose(made.T, expected(model, x.astype(np.float32), rate), atol=1 / 32768)


def test_raw_samples_give_raw_samples_and_part_of_one_is_dropped(unbraid_command, model):
    samples = np.round(noise(1, 3000) * 3000).astype("<i2")
    words = ("live", "-", "-m", model, "--rate", 8000, "--stem", "voice2")
    outcome = unbraid_command(*words, stdin=samples.tobytes() + b"x")
    assert (outcome.code, outcome.err) == (0, "")
    made = LiveFormat(8000).decoded(outcome.bytes)
    np.testing.assert_allclose(made, expected(model, (samples / 32768).astype(np.float32))[1:], atol=1 / 32768)


def test_bad_samples_are_told_once_and_the_stream_goes_on(unbraid_command, model):
    x = noise(1, 2000)
    x[0, [300, 900]] = np.nan
    outcome = unbraid_command("live", "-", "-m", model, stdin=wav(x, subtype="FLOAT"))
    assert outcome.code == 0
    assert outcome.errors == [
        "warning: the input has samples that are NaN, infinite or far too loud; they are heard as silence.",
        "warning: 2 such samples in all.",
    ]
    assert len(soundfile.read(io.BytesIO(outcome.bytes))[0]) == 2000


@pytest.mark.parametrize(
    ("words", "stdin", "code", "told"),
    [
        (("-",), b"no wav", 1, "The stream does not begin with a WAV header; say the rate of raw 16-bit samples"),
        (("-", "--rate", 0), b"", 1, "The sample rate must be a whole number of Hz above 0, got 0."),
        (("-", "--rate", 8000, "--channels", 0), b"", 2, "Live audio has 1 to 32 channels, not 0."),
        (("-", "--rate", 8000, "--stem", "drums"), b"", 2, "tiny-live has no stem 'drums', only voice1, voice2"),
        (("talk.wav",), b"", 2, "Live audio comes from a microphone or from -; for talk.wav use `unbraid enhance`."),
        (("-", "--microphone", 1), b"", 2, "--microphone and --speakers are for live audio without -"),
    ],
)
def test_refusals(unbraid_command, model, words, stdin, code, told):
    outcome = unbraid_command("live", *words, "-m", model, stdin=stdin)
    assert outcome.code == code
    assert len(outcome.errors) == 1
    assert outcome.errors[0].startswith(f"error: {told}")
    assert outcome.bytes == b""


def test_a_model_that_looks_ahead_is_refused(unbraid_command, tmp_path):
    write_model(tmp_path / "model", speech_spec())
    outcome = unbraid_command("live", "-", "-m", tmp_path / "model", stdin=wav(noise(1, 100)))
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert "tiny-speech hears a recording before it answers" in outcome.err


class PortAudioError(Exception):
    pass


class FakeStream:
    """Microphone and speakers: gives some blocks, then ends as it was told."""

    latency = (0.010, 0.015)

    def __init__(self, end: BaseException, **options: object) -> None:
        self.blocksize, self.channels, self.end = options["blocksize"], options["channels"], end
        self.given, self.played, self.closed = [], [], False

    def start(self) -> None:
        pass

    def read(self, count: int) -> tuple[np.ndarray, bool]:
        if len(self.given) == 5:
            raise self.end
        self.given.append(noise(self.channels[0], count, seed=len(self.given)).T)
        return self.given[-1], len(self.given) == 2

    def write(self, block: np.ndarray) -> bool:
        assert block.flags.c_contiguous
        self.played.append(block)
        return len(self.played) == 1

    def close(self, ignore_errors: bool) -> None:
        self.closed = True


@pytest.fixture
def devices(monkeypatch):
    """A sounddevice whose stream ends in an error, or cannot be opened."""

    def make(end: BaseException, opens: bool = True) -> list[FakeStream]:
        streams = []

        def stream(**options: object) -> FakeStream:
            if not opens:
                raise PortAudioError("Error querying device -1")
            streams.append(FakeStream(end, **options))
            return streams[-1]

        module = types.SimpleNamespace(
            PortAudioError=PortAudioError,
            Stream=stream,
            query_devices=lambda device, kind: {"default_samplerate": 16000.0},
        )
        monkeypatch.setitem(sys.modules, "sounddevice", module)
        return streams

    return make


def test_microphone_to_speakers_until_ctrl_c(unbraid_command, model, devices):
    streams = devices(KeyboardInterrupt())
    outcome = unbraid_command("live", "-m", model)
    assert outcome.code == 0
    assert outcome.errors == [
        "tiny-live is live, 33 ms late, the devices' share included; Ctrl-C stops it.",
        "warning: the sound broke off once, as this computer was too busy.",
    ]
    (stream,) = streams
    assert stream.closed
    with LiveSeparator(model, sample_rate=16000) as live:
        stems = [live.push(block.T).reshape(2, -1).T for block in stream.given]
    np.testing.assert_array_equal(np.concatenate(stream.played), np.concatenate(stems))


def test_a_device_that_disappears_is_told(unbraid_command, model, devices):
    (streams,) = (devices(PortAudioError("Unanticipated host error")),)
    outcome = unbraid_command("live", "-q", "-m", model)
    assert outcome.code == 1
    told = "error: The microphone or the speakers are gone (Unanticipated host error); plug them in again."
    assert outcome.errors == [told]
    assert len(streams[0].played) == 5


def test_no_microphone_is_told(unbraid_command, model, devices):
    devices(KeyboardInterrupt(), opens=False)
    outcome = unbraid_command("live", "-m", model)
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert "There is no microphone with speakers that can be opened (Error querying device -1)" in outcome.err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("no module"), "need sounddevice: pip install 'unbraid[live]'"),
        (OSError("PortAudio library not found"), "need PortAudio (PortAudio library not found)"),
    ],
)
def test_what_is_not_installed_is_told(unbraid_command, model, monkeypatch, error, told):
    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise error

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    outcome = unbraid_command("live", "-m", model)
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert told in outcome.err


def test_the_latency_is_measured(unbraid_command, model, devices, monkeypatch):
    monkeypatch.setattr("unbraid.cli.live_latency.SECONDS", 0.2)
    devices(KeyboardInterrupt())
    outcome = unbraid_command("live", "--latency", "-m", model)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[:2] == ["tiny-live at 16000 Hz, blocks of 10 ms", "by design    8.1 ms"]
    assert lines[-1] == "devices      25.0 ms more, as PortAudio reports"


def test_a_measurement_holds_the_block_and_the_design(model):
    with LiveSeparator(model) as live:
        found = measured(live, 0.1)
        assert found.median_seconds >= live.latency_seconds + 0.01
        assert found.worst_seconds >= found.median_seconds
        assert found.load > 0
    assert LIVE.latency_samples == 32
