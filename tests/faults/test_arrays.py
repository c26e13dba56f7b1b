"""Audio as Python callers have it: tensors, lists, integers, views; and a sentence for what is no audio."""

import array
from pathlib import Path

import numpy as np
import pytest

import unbraid
from recognizer_fakes import RATE, ears, say
from unbraid.audio import Excerpt, as_audio, choose_format, read, write
from unbraid.errors import AudioError, UsageError
from unbraid.tasks.attention import attention_maps
from unbraid.tasks.transcription.transcriber import Transcriber

X = (0.1 * np.random.default_rng(0).standard_normal((2, 400))).astype(np.float32)


class ByArray:
    """An object that has nothing but `__array__`."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self.values, dtype)


class ByDlpack:
    """An object that has nothing but DLPack, on a device of one's choice."""

    def __init__(self, values: np.ndarray, device: int = 1) -> None:
        self.values, self.device = values, device

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


def read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


SAME = {
    "an object with __array__": ByArray(X),
    "an object with DLPack": ByDlpack(X),
    "nested lists": X.tolist(),
    "a tuple of arrays": tuple(X),
    "a memoryview": memoryview(X),
    "buffers": [array.array("f", row.tolist()) for row in X],
    "float64": X.astype(np.float64),
    "big-endian": X.astype(">f4"),
    "Fortran order": np.asfortranarray(X),
    "every other sample": np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": X[:, ::-1].copy()[:, ::-1],
    "read-only": read_only(X),
}


@pytest.mark.parametrize("name", SAME)
def test_anything_with_the_array_interface_is_audio(name: str) -> None:
    found = as_audio(SAME[name])
    np.testing.assert_array_equal(found, X)
    assert found.dtype == np.dtype("=f4") and found.flags.c_contiguous


@pytest.mark.parametrize(
    ("dtype", "values", "floats"),
    [
        ("i1", [-128, 0, 64], [-1, 0, 0.5]),
        ("u1", [0, 128, 192], [-1, 0, 0.5]),
        ("<i2", [-32768, 0, 16384], [-1, 0, 0.5]),
        (">i2", [-32768, 0, 16384], [-1, 0, 0.5]),
        ("u2", [0, 32768, 49152], [-1, 0, 0.5]),
        ("i4", [-(2**31), 0, 2**30], [-1, 0, 0.5]),
        ("u4", [0, 2**31, 3 * 2**30], [-1, 0, 0.5]),
    ],
)
def test_integers_are_scaled_by_their_type(dtype: str, values: list[int], floats: list[float]) -> None:
    np.testing.assert_array_equal(as_audio(np.array([values], dtype)), [floats])


def test_integers_written_to_a_file_are_not_clipped(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", np.array([[0, 16384, -32768]], np.int16), 8000, choose_format("wav", subtype="16"))
    np.testing.assert_array_equal(read(tmp_path / "x.wav")[0], [[0, 0.5, -1]])


REFUSED = {
    "list of numbers": ([0.1, 0.2], "got shape (2,); for mono put it in a list, [audio]."),
    "ragged": ([[0.1, 0.2], [0.3]], "(its rows differ in length)"),
    "array and rate": ((X, 8000), "of type tuple cannot be read as an array"),
    "nothing": (None, "must be real numbers, not Python objects"),
    "objects": (np.array([[None, 1.0]], object), "must be real numbers, not Python objects (object)"),
    "truths": (X > 0, "must be real numbers, not true or false values (bool)"),
    "complex": (X.astype(complex), "must be real numbers, not complex numbers (complex128)"),
    "text": ([["a", "b"]], "must be real numbers, not text"),
    "bytes": (b"\0\0\0\0", "not bytes; read files with unbraid.audio.read."),
    "a path": (Path("a.wav"), "read files with unbraid.audio.read."),
    "64 bits": (np.ones((1, 9), np.int64), "Audio of type int64 has no known full scale: convert it to the type"),
    "integers in lists": ([[0, 100, -100]], "Audio of type int64 has no known full scale"),
    "samples first": (np.zeros((500, 2), np.float32), "looks like (samples, channels); pass audio.T."),
    "samples first, many channels": (np.zeros((500, 40), np.float32), "looks like (samples, channels); pass audio.T."),
    "on a GPU": (ByDlpack(X, device=2), "is in the memory of another device; copy it to the CPU first"),
    "NaN": (np.where(np.arange(400) == 7, np.nan, X), "holds NaN at sample 7 of channel 0, counted from 0"),
    "infinity": (np.where(np.arange(800).reshape(2, 400) == 409, np.inf, X), "infinite value at sample 9 of channel 1"),
    "masked": (np.ma.masked_greater(X, 0), "has masked samples; fill them first"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_audio_is_told_in_a_sentence(name: str) -> None:
    audio, message = REFUSED[name]
    with pytest.raises(AudioError) as caught:
        as_audio(audio)
    assert message in str(caught.value)


def test_tensors_are_taken_as_they_come() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    for one in (tensor, tensor.clone().requires_grad_(), tensor.double(), tensor.T.contiguous().T):
        np.testing.assert_array_equal(as_audio(one), X)
    np.testing.assert_array_equal(as_audio(torch.tensor([[0, 16384]], dtype=torch.int16)), [[0, 0.5]])
    for one in (tensor.to("meta"), tensor.to_sparse(), tensor.bfloat16()):
        with pytest.raises(AudioError):
            as_audio(one)


@pytest.mark.parametrize("name", SAME)
def test_every_call_takes_them(name: str, speech_folder: Path) -> None:
    expected = unbraid.separate(X, speech_folder, sample_rate=8000)
    found = unbraid.separate(SAME[name], speech_folder, sample_rate=8000)
    for stem in expected:
        np.testing.assert_array_equal(found[stem], expected[stem])


def test_a_recogniser_hears_lists_and_integers() -> None:
    said = say(3, 1, 4)
    transcriber = Transcriber.over(ears())
    for audio in (said.tolist(), (32768 * said).astype(np.int16), ByArray(said)):
        assert transcriber(audio, RATE).text == "3 1 4"


@pytest.mark.parametrize("call", [unbraid.separate, unbraid.transcribe, unbraid.enhance])
@pytest.mark.parametrize("audio", [X, X.tolist(), ByArray(X), ByDlpack(X)])
def test_an_array_of_any_kind_needs_its_rate(call, audio) -> None:
    with pytest.raises(UsageError, match=rf"^An array needs its sample rate: {call.__name__}\(audio, sample_rate="):
        call(audio)


def test_other_recordings_are_told_too(speech_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^separate takes one recording at a time; call it for each file"):
        unbraid.separate(["a.wav", Path("b.wav")], speech_folder)
    with pytest.raises(AudioError, match=r"^A recording is a path or a file open for reading bytes "):
        unbraid.separate({"audio": 1}, speech_folder, sample_rate=8000)
    with pytest.raises(AudioError, match=r"^The sample rate must be a whole number"):
        unbraid.separate(X, speech_folder, sample_rate=0)


def test_attention_is_shown_over_arrays() -> None:
    x = say(3, 1)
    seen = attention_maps("digits", x, sample_rate=RATE)
    assert seen.maps[0].columns.seconds >= x.shape[1] / RATE
    later = attention_maps("digits", x, sample_rate=RATE, excerpt=Excerpt(start=0.2, duration=0.2))
    assert later.maps[0].columns.start == 0.2 and later.maps[0].columns.seconds < 0.3
    with pytest.raises(UsageError, match=r"^An array needs its sample rate: attention_maps"):
        attention_maps("digits", x)
