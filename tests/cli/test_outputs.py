"""One track on disk: all of it or nothing, never clipped, and stems that add up."""

import os
import shutil
import stat
from collections.abc import Generator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid import audio
from unbraid.audio import Excerpt
from unbraid.cli.files.outputs import write_track
from unbraid.cli.files.plan import Signal, TrackPlan
from unbraid.errors import AudioError, Cancelled
from unbraid.files.record import Provenance, holds
from unbraid.tasks.results import Diagnostics, Run

RATE = 8000
MAKING = Provenance(1, 2, "model", {"weights": "hash"}, {"raw": False})


@pytest.fixture(autouse=True)
def here() -> None:
    """No command is run here, so its folders would only be in the way."""


class Stems:
    """A separator that yields what it was given, in blocks."""

    def __init__(self, stems: dict[str, np.ndarray], block: int = 700) -> None:
        self.stems, self.block = stems, block

    def run(self, source, excerpt=None, progress=None, tap=None) -> Run[dict[str, np.ndarray]]:
        return Run(self._blocks(progress), Diagnostics("stems"))

    def _blocks(self, progress) -> Generator[dict[str, np.ndarray], None, None]:
        frames = next(iter(self.stems.values())).shape[1]
        for at in range(0, frames, self.block):
            if progress:
                progress(at / RATE, frames / RATE)
            yield {stem: samples[:, at : at + self.block] for stem, samples in self.stems.items()}


def a_track(folder, stems, fmt=None, **changes) -> TrackPlan:
    """A track of these stems below a folder."""
    channels, frames = next(iter(stems.values())).shape
    return TrackPlan(
        source=folder / "in.wav",
        excerpt=Excerpt(),
        signal=Signal(RATE, channels, RATE, frames),
        outputs={stem: folder / "in" / f"{stem}.wav" for stem in stems},
        fmt=fmt or audio.OutputFormat("wav", "24"),
        receipt=folder / "in" / ".unbraid.json",
        making=MAKING,
        **changes,
    )


def noise(channels: int, frames: int, level: float, seed: int = 0) -> np.ndarray:
    """Uniform noise (C, T) with exactly this peak."""
    samples = np.random.default_rng(seed).uniform(-1, 1, (channels, frames))
    return (samples * level / np.abs(samples).max()).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3000), st.floats(0.01, 30), st.booleans())
def test_stems_are_turned_down_together_just_so_far_that_none_clips(
    tmp_path_factory, channels, frames, level, floating
):
    folder = tmp_path_factory.mktemp("track")
    stems = {"loud": noise(channels, frames, level), "soft": noise(channels, frames, level / 4, seed=1)}
    fmt = audio.OutputFormat("wav", "32f" if floating else "24")
    written = write_track(Stems(stems), a_track(folder, stems, fmt))
    gain = 1.0 if floating else 1 / max(1.0, float(np.abs(stems["loud"]).max()))
    assert written.gain_db == pytest.approx(20 * np.log10(gain), abs=1e-9)
    assert written.seconds == frames / RATE
    for stem, samples in stems.items():
        back, rate = audio.read(folder / "in" / f"{stem}.wav")
        assert rate == RATE
        assert back.shape == samples.shape
        assert np.abs(back - gain * samples).max() <= (0 if floating else 2**-23 + 1e-7)


def test_a_peak_of_one_is_no_reason_to_turn_down(tmp_path):
    stems = {"only": np.array([[1.0, -1.0, 0.5]], np.float32)}
    assert write_track(Stems(stems), a_track(tmp_path, stems)).gain_db == 0


def test_silence_stays_silence(tmp_path):
    stems = {"a": np.zeros((2, 100), np.float32), "b": np.zeros((2, 100), np.float32)}
    assert write_track(Stems(stems), a_track(tmp_path, stems)).gain_db == 0
    assert not audio.read(tmp_path / "in" / "b.wav")[0].any()


def test_a_track_appears_at_once_with_usual_rights_and_its_record(tmp_path, monkeypatch):
    stems = {"a": noise(1, 5000, 0.5)}
    track, renamed = a_track(tmp_path, stems), []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: renamed.append(new) or rename(old, new))
    write_track(Stems(stems), track)
    assert renamed == [tmp_path / "in"]
    assert os.listdir(tmp_path) == ["in"]
    usual = tmp_path / "usual"
    usual.mkdir()
    assert stat.S_IMODE((tmp_path / "in").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    assert holds(track.receipt, MAKING, track.outputs.values())


@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt(), ValueError("bug"), OSError(5, "disk")])
def test_whatever_stops_it_nothing_is_left(tmp_path, error):
    stems = {"a": noise(1, 5000, 0.5)}

    def stop(done: float, total: float | None) -> None:
        if done > 0.3:
            raise error

    with pytest.raises(type(error)):
        write_track(Stems(stems), a_track(tmp_path, stems), stop)
    assert os.listdir(tmp_path) == []


def test_what_killed_runs_left_is_swept_away(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    for name in ("000000000001", "000000000002", "000000000003"):
        (tmp_path / f".unbraid-{name}" / "float").mkdir(parents=True)
        os.utime(tmp_path / f".unbraid-{name}", (0, 0))
    os.utime(tmp_path / ".unbraid-000000000003")  # just made: its run may not have locked it yet
    with open(tmp_path / ".unbraid-000000000002" / "lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.utime(tmp_path / ".unbraid-000000000002", (0, 0))
        stems = {"a": noise(1, 1000, 0.5)}
        write_track(Stems(stems), a_track(tmp_path, stems))
    left = sorted(path.name for path in tmp_path.glob(".unbraid-*"))
    assert left == [".unbraid-000000000002", ".unbraid-000000000003"]


def test_what_appears_meanwhile_is_not_overwritten(tmp_path):
    stems = {"a": noise(1, 5000, 0.5)}
    track = a_track(tmp_path, stems)

    def intrude(done: float, total: float | None) -> None:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / "a.wav").write_text("somebody else's")

    with pytest.raises(AudioError, match=r"a\.wav has appeared meanwhile; nothing was written\. Use --overwrite"):
        write_track(Stems(stems), track, intrude)
    assert (tmp_path / "in" / "a.wav").read_text() == "somebody else's"
    assert os.listdir(tmp_path) == ["in"]


def test_samples_that_are_no_numbers_are_never_written(tmp_path):
    stems = {"a": np.full((1, 100), np.nan, np.float32)}
    with pytest.raises(AudioError, match=r"NaN or infinity at 0\.000 s"):
        write_track(Stems(stems), a_track(tmp_path, stems))
    assert os.listdir(tmp_path) == []


def test_stems_are_resampled_on_request(tmp_path):
    stems = {"a": noise(2, 4001, 0.5)}
    track = a_track(tmp_path, stems, audio.OutputFormat("wav", "32f"))
    track = TrackPlan(**{**vars(track), "signal": Signal(RATE, 2, 44100, 4001)})
    write_track(Stems(stems), track)
    back, rate = audio.read(tmp_path / "in" / "a.wav")
    expected = audio.resample(stems["a"], RATE, 44100)
    assert rate == 44100
    assert back.shape == expected.shape
    assert np.abs(back - expected).max() < 1e-4


def test_encoding_reports_its_progress_over_all_stems(tmp_path):
    stems = {"a": noise(1, 4 * RATE, 0.5), "b": noise(1, 4 * RATE, 0.5)}
    separated, encoded = [], []
    write_track(
        Stems(stems), a_track(tmp_path, stems), lambda *at: separated.append(at), lambda *at: encoded.append(at)
    )
    assert {total for _, total in separated} == {4.0}
    assert encoded == sorted(encoded)
    assert {4.0, 8.0} <= {done for done, _ in encoded}
    assert {total for _, total in encoded} == {8.0}


@pytest.mark.parametrize("name", ["flac", "mp3", "opus"])
def test_encoding_can_be_cancelled(tmp_path, name):
    stems = {"a": noise(1, 5000, 0.5), "b": noise(1, 5000, 0.5)}

    def stop(done: float, total: float | None) -> None:
        if total == 10000 / RATE:  # of both stems
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        write_track(Stems(stems), a_track(tmp_path, stems, audio.choose_format(name)), stop)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("fmt", "needed"),
    [
        (audio.OutputFormat("wav", "32f"), 2 * 4),
        (audio.OutputFormat("wav", "24"), 2 * 4 + 3),
        (audio.choose_format("mp3"), 2 * 4 + 2),
    ],
)
def test_the_disk_must_hold_all_float_stems_and_one_that_is_encoded(tmp_path, monkeypatch, fmt, needed):
    stems = {"a": noise(1, 1000, 0.5), "b": noise(1, 1000, 0.5)}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000 * needed - 1))
    with pytest.raises(
        AudioError, match=r"kB free, but the stems need \d+ kB while they are written\. Free some space"
    ):
        write_track(Stems(stems), a_track(tmp_path, stems, fmt))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000 * needed))
    write_track(Stems(stems), a_track(tmp_path, stems, fmt))
