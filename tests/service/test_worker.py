"""Workers as processes: a kill loses nothing and doubles nothing; limits end a job with a sentence."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from service_fakes import Jobs, recording, until

from unbraid.errors import AudioError, ModelNotFound
from unbraid.hub.folder import sha256
from unbraid.service.limits import Limits
from unbraid.service.player import columns
from unbraid.service.supervisor import Supervisor
from unbraid.service.worker import explained

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "data")


@contextmanager
def working(jobs: Jobs, limits: Limits = Limits()) -> Iterator[Supervisor]:
    supervisor = Supervisor(jobs.storage, limits, workers=1)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def results(jobs: Jobs, job: str) -> list[str]:
    return sorted(path.name for path in jobs.storage.folder(job).iterdir())


def test_each_kind_of_job(jobs: Jobs, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 2.0, 44100)
    kinds = {
        jobs.add(song, "separate", model="music-2", format="wav"): {"vocals.wav", "accompaniment.wav"},
        jobs.add(song, "enhance", strength=0.5): {"speech.flac", "residual.flac"},
        jobs.add(song, "diarize"): {"speakers.rttm", "speakers.json"},
    }
    with working(jobs):
        for job, names in kinds.items():
            done = jobs.finished(job)
            assert done.state == "done", done.error
            assert {file.name for file in done.files if file.role == "result"} == names
            assert done.audio_seconds == pytest.approx(2.0, abs=0.01)
            for file in done.files:
                path = jobs.storage.file(done, file.name)
                assert (path.stat().st_size, sha256(path)) == (file.bytes, file.sha256)
            player = json.loads(jobs.storage.file(done, "player.json").read_text(encoding="utf-8"))
            assert player["seconds"] == pytest.approx(2.0, abs=0.01)
            assert all(0 < max(track["peaks"]) <= 1 for track in player["tracks"])
    stems = next(iter(kinds))
    folder = jobs.storage.result(stems, 1)
    whole = sum(soundfile.read(folder / name)[0] for name in kinds[stems])
    np.testing.assert_allclose(whole, soundfile.read(song)[0], atol=2e-4)  # the stems are the recording


def test_a_worker_killed_in_the_middle_gives_one_result(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add(recording(tmp_path / "talk.wav", 60.0), model="speech")
    with working(jobs) as supervisor:
        jobs.under_way(job)
        os.kill(supervisor.pids[0], signal.SIGKILL)
        done = jobs.finished(job)
        assert (done.state, done.attempts) == ("done", 2)
        assert results(jobs, job) == ["input", "result-2"]
        assert supervisor.restarts == 1


def test_a_server_that_stops_gives_its_job_back(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add(recording(tmp_path / "talk.wav", 60.0), model="speech")
    with working(jobs):
        jobs.under_way(job)
    assert (jobs.queue.get(job).state, jobs.queue.get(job).attempts) == ("queued", 0)
    with working(jobs):
        done = jobs.finished(job)
    assert (done.state, done.attempts) == ("done", 1)
    assert results(jobs, job) == ["input", "result-1"]


def test_a_cancelled_job_stops(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add(recording(tmp_path / "talk.wav", 100.0), model="speech")
    after = jobs.add(recording(tmp_path / "short.wav", 1.0), "diarize")
    with working(jobs):
        jobs.under_way(job)
        jobs.queue.cancel(job)
        assert jobs.finished(job).state == "cancelled"
        assert jobs.finished(after).state == "done"
        until(lambda: results(jobs, job) == ["input"] or None)


@pytest.mark.parametrize(
    ("limits", "kind", "told"),
    [
        (Limits(audio_seconds=30), "too-long", "The recording is longer than 0.5 minutes"),
        (Limits(job_seconds=0.5), "time", "The job took longer than the service allows"),
        (Limits(memory_bytes=150_000_000), "memory", "The job needs more memory than 0.15 GB"),
    ],
)
def test_limits_end_a_job(jobs: Jobs, tmp_path: Path, limits: Limits, kind: str, told: str) -> None:
    job = jobs.add(recording(tmp_path / "talk.wav", 60.0), model="speech")
    with working(jobs, limits):
        failed = jobs.finished(job)
    assert failed.state == "failed" and failed.error is not None
    assert failed.error.kind == kind and failed.error.message.startswith(told)
    assert not [name for name in results(jobs, job) if name.startswith("result")]


def test_a_long_silence_in_a_small_file_is_limited_by_its_length(jobs: Jobs, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.flac"
    soundfile.write(bomb, np.zeros(600 * 8000, np.int16), 8000)
    assert bomb.stat().st_size < 100_000
    job = jobs.add(bomb, model="speech")
    with working(jobs, Limits(audio_seconds=60)):
        failed = jobs.finished(job)
    assert failed.error is not None and failed.error.kind == "too-long"


def test_no_audio_is_told_by_the_clients_name(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no audio", encoding="utf-8")
    job = jobs.add(tmp_path / "text")
    with working(jobs):
        failed = jobs.finished(job)
    assert failed.error is not None and failed.error.kind == "audio"
    assert failed.error.message.startswith("song.wav is not audio that can be read")
    assert str(tmp_path) not in failed.error.message


def test_finished_jobs_are_deleted_in_the_end(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add(recording(tmp_path / "short.wav", 1.0))
    jobs.queue.cancel(job)
    time.sleep(0.01)
    with working(jobs, Limits(keep_seconds=0.001)):
        until(lambda: None if job in jobs.queue.ids() else True)
        until(lambda: None if jobs.storage.folder(job).exists() else True)


def test_errors_have_kinds() -> None:
    assert explained(ModelNotFound("There is none."), Limits()) == ("model", "There is none.")
    full = AudioError("…")
    full.__cause__ = OSError(28, "No space left on device")
    assert explained(full, Limits()) == (
        "disk",
        "The disk of the service is full; delete old jobs, or try again later.",
    )
    assert explained(RuntimeError("std::bad_alloc"), Limits())[0] == "memory"
    assert explained(ZeroDivisionError("by zero"), Limits()) == (
        "internal",
        "Unexpected ZeroDivisionError: by zero. This is a bug; please report it.",
    )


def test_columns_keep_the_peaks() -> None:
    peaks = np.zeros(2500, np.float32)
    peaks[1234] = 0.5
    shown = columns(peaks)
    assert len(shown) == 1000 and max(shown) == 0.5 and sum(peak > 0 for peak in shown) == 1
    assert columns(peaks[:3]) == [0.0, 0.0, 0.0]
