"""Spectrograms are written frame by frame, until the model stops: what torch writes, in any batch."""

from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error, weights
from side_fakes import EVERY, SPEAKERS, items, side_spec
from unbraid.errors import UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.tasks.decoding.acoustic_model import AcousticModel

LENGTHS = [4, 11, 1, 7]


class Reader:
    """An encoder whose memory is what it has read, and what the others share."""

    device, reason = "fake", "a test asked for it"
    closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        read = inputs["symbols"][None, :, None, :, None].astype(np.float32)  # (L, B, H, N, D/H)
        return {"cross_keys": read, "cross_values": read}

    def close(self) -> None:
        self.closed = True


class Counter(Reader):
    """A decoder that counts: its frames are one more than those before, and the first symbol says when it stops."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        frames, past = inputs["frames"] + 1, inputs["self_keys"]
        self.rows.append(len(frames))
        last = inputs["cross_keys"][0, :, 0, 0, 0]
        more = np.concatenate((past, np.zeros_like(past, shape=(*past.shape[:3], 1, past.shape[4]))), 3)
        stop = np.where(frames[:, 0] >= last, 0.5, -0.5).astype(np.float32)
        return {"new_frames": frames, "stop": stop, "new_self_keys": more, "new_self_values": more}


class Doubler(Reader):
    """A post-net that says the same again."""

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"refined": 2 * inputs["log_mel"]}


def counting() -> AcousticModel:
    return AcousticModel.over(Reader(), Counter(), Doubler(), side_spec(SPEAKERS["text to spectrogram"]))


def test_frames_are_written_until_the_model_stops() -> None:
    """Two frames at a step; the step that stops is written, too."""
    speaker = counting()
    three, five = speaker.speak([[3, 2], [5, 2, 2]])
    for spoken, steps in ((three, 3), (five, 5)):
        assert spoken.ended
        expected = np.repeat(2 * np.arange(1, steps + 1, dtype=np.float32), 2)[:, None].repeat(6, 1)
        np.testing.assert_array_equal(spoken.log_mel, expected, strict=True)
    assert speaker._decoder.rows == [2, 2, 2, 1, 1]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("most", "frames", "ended"), [(1, 2, False), (3, 4, False), (9, 10, True), (100, 10, True)])
def test_who_does_not_stop_is_cut_off(most: int, frames: int, ended: bool) -> None:
    (spoken,) = counting().speak([[5]], most_frames=most)
    assert (len(spoken.log_mel), spoken.ended) == (frames, ended)


def test_each_item_may_have_a_limit_of_its_own() -> None:
    speaker = counting()
    found = speaker.speak([[8], [2], [8]], most_frames=[3, 100, 7])
    assert [(len(spoken.log_mel), spoken.ended) for spoken in found] == [(4, False), (4, True), (8, False)]
    assert speaker._decoder.rows == [3, 3, 1, 1]  # type: ignore[attr-defined]


def test_bad_requests_are_told() -> None:
    for items_, most, message in (
        ([[4], []], 9, "Item 1 is empty; there is nothing to read."),
        ([[9]], 9, "Item 0 holds 9, but the model reads symbols from 0 to 8."),
        ([[4]], 0, "At least one frame is needed, got 0."),
    ):
        with pytest.raises(UsageError) as caught:
            counting().speak(items_, most_frames=most)
        assert str(caught.value) == message
    assert counting().speak([]) == []


@pytest.mark.parametrize("kind", ["text to text", "waveform to waveform"])
def test_models_that_write_something_else_are_told(kind: str) -> None:
    with pytest.raises(UsageError) as caught:
        AcousticModel.over(Reader(), Reader(), Reader(), side_spec(EVERY[kind]))
    message = "tiny-sides does not write spectrograms step by step; choose an audio Transformer that does."
    assert str(caught.value) == message


def test_what_is_closed_is_free() -> None:
    with counting() as speaker:
        pass
    assert all(network.closed for network in speaker._networks)
    assert len(speaker._networks) == 3


@pytest.mark.parametrize("kind", SPEAKERS)
def test_the_graphs_write_what_torch_writes_in_any_batch(tmp_path: Path, kind: str) -> None:
    """The frames that torch, shown them all at once, says come next; random networks stop soon, or never."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from unbraid.runtime.eager import load_module

    geometry = SPEAKERS[kind]
    tensors, read = weights(geometry, seed=4), items(geometry.source, LENGTHS)
    spec = write_model_folder(tmp_path / "model", side_spec(geometry), tensors)
    width, stride = geometry.target.stride * geometry.target.bins, getattr(geometry.source, "stride", 1)
    module = load_module(geometry, tensors)
    with AcousticModel(tmp_path / "model", device="cpu", threads=1) as speaker:
        assert (speaker.spec, speaker.device) == (spec, "cpu")
        together = speaker.speak(read, most_frames=18)
        for item, spoken in zip(read, together, strict=True):
            (alone,) = speaker.speak([item], most_frames=18)
            assert alone.ended == spoken.ended
            assert peak_error(alone.log_mel, spoken.log_mel) <= 1e-4
            shown = torch.zeros(1, 1, width)
            with torch.inference_mode():
                for _ in range(len(spoken.log_mel) // geometry.target.stride):
                    source, lengths = torch.from_numpy(item)[None], torch.tensor([len(item) // stride])
                    frames, stop = module(source, lengths, shown)
                    shown = torch.cat((shown, frames[:, -1:]), 1)
                refined = module.back.refine(shown[:, 1:].reshape(1, -1, geometry.target.bins))[0].numpy()
            assert peak_error(refined, spoken.log_mel) <= 1e-4
            stops = (stop[0] > 0).tolist()
            assert stops.index(True) == len(stops) - 1 if spoken.ended else not any(stops)
