"""The queue: every state follows from one transaction, and a job has one result at most."""

import threading
import time
from pathlib import Path

import pytest
from service_fakes import Jobs

from unbraid.errors import UsageError
from unbraid.service.claims import Claims, Outcome
from unbraid.service.database import Database
from unbraid.service.jobs import ResultFile, options_of
from unbraid.service.queue import NewJob, QueueFull, Room
from unbraid.service.storage import Storage, new_id

FILES = [ResultFile(name="vocals.flac", bytes=7, sha256="0" * 64)]
DONE = Outcome(FILES, 1.0, "music-4")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "data", Room(queued=3, of_client=3))


def test_jobs_are_claimed_in_the_order_of_their_coming(jobs: Jobs) -> None:
    first, second = jobs.add(), jobs.add()
    claims = Claims(jobs.database)
    assert jobs.queue.get(second).waiting == 1
    assert [claims.claim("a").job.id, claims.claim("b").job.id] == [first, second]
    assert claims.claim("c") is None


def test_a_job_is_claimed_once_by_many_workers(jobs: Jobs) -> None:
    job, found = jobs.add(), []
    barrier = threading.Barrier(8)

    def claim(name: str) -> None:
        barrier.wait()
        found.append(Claims(jobs.database).claim(name))

    threads = [threading.Thread(target=claim, args=(f"w{k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [claim.job.id for claim in found if claim] == [job]


def test_a_finished_job_has_its_files(jobs: Jobs) -> None:
    job, claims = jobs.add(), Claims(jobs.database)
    claim = claims.claim("a")
    assert claims.beat(claim, 0.5, 60.0) == "go on"
    assert jobs.queue.get(job).progress == 0.5
    assert claims.finish(claim, Outcome(FILES, 60.0, "music-4", ["it was cut off"]))
    done = jobs.queue.get(job)
    assert (done.state, done.progress, done.files, done.audio_seconds) == ("done", 1.0, FILES, 60.0)
    assert (done.model, done.notices) == ("music-4", ["it was cut off"])
    assert jobs.queue.counts() == ({"done": 1}, {"jobs done": 1.0, "audio seconds": 60.0})
    assert jobs.queue.used_bytes() == 7


def test_a_worker_given_up_for_dead_can_finish_nothing(jobs: Jobs) -> None:
    job, claims = jobs.add(), Claims(jobs.database)
    first = claims.claim("a")
    assert claims.requeue("a", 3) == [job]
    second = claims.claim("b")
    assert claims.beat(first, 0.9) == "lost"
    assert not claims.finish(first, DONE)
    assert not claims.fail(first, "internal", "…")
    assert not claims.stop(first)
    assert claims.finish(second, DONE)
    assert jobs.queue.get(job).attempts == 2


def test_a_job_that_kills_its_worker_fails_after_three_attempts(jobs: Jobs) -> None:
    job, claims = jobs.add(), Claims(jobs.database)
    for _ in range(3):
        claims.claim("a")
        claims.requeue("a", 3)
    failed = jobs.queue.get(job)
    assert failed.state == "failed" and failed.error is not None
    assert failed.error.kind == "crash" and "died in each of 3 attempts" in failed.error.message


def test_an_attempt_that_the_server_ends_does_not_count(jobs: Jobs) -> None:
    job, claims = jobs.add(), Claims(jobs.database)
    for _ in range(5):
        claims.claim("a")
        claims.requeue("a", 3, blameless=True)
    assert (jobs.queue.get(job).state, jobs.queue.get(job).attempts) == ("queued", 0)


def test_cancelling(jobs: Jobs) -> None:
    claims, waiting = Claims(jobs.database), jobs.add()
    assert jobs.queue.cancel(waiting).state == "cancelled"
    running = jobs.add()
    claim = claims.claim("a")
    assert jobs.queue.cancel(running).state == "running"
    assert claims.beat(claim, 0.1) == "cancel"
    assert claims.stop(claim)
    assert jobs.queue.get(running).state == "cancelled"
    assert jobs.queue.cancel(running).state == "cancelled"


def test_a_cancelled_job_of_a_dead_worker_does_not_come_back(jobs: Jobs) -> None:
    job, claims = jobs.add(), Claims(jobs.database)
    claims.claim("a")
    jobs.queue.cancel(job)
    assert claims.requeue(None, 3) == []
    assert jobs.queue.get(job).state == "cancelled"


def test_the_same_key_gives_the_same_job(jobs: Jobs) -> None:
    first, made = jobs.queue.add(NewJob(new_id(), "anna", "separate", {}, "a.wav", 1, "key"))
    again, made_again = jobs.queue.add(NewJob(new_id(), "anna", "separate", {}, "a.wav", 1, "key"))
    assert (made, made_again, again.id) == (True, False, first.id)
    other, _ = jobs.queue.add(NewJob(new_id(), "bert", "separate", {}, "a.wav", 1, "key"))
    assert other.id != first.id
    assert jobs.queue.known("anna", "key") == first


def test_a_full_queue_refuses(jobs: Jobs) -> None:
    for client in ("a", "b", "c"):
        jobs.queue.add(NewJob(new_id(), client, "separate", {}, "a.wav", 1))
    with pytest.raises(QueueFull, match="^3 jobs wait already, and no more may; try again later.$"):
        jobs.queue.check_room("d")


def test_a_client_has_its_share(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "data", Room(queued=10, of_client=1))
    jobs.add()
    Claims(jobs.database).claim("a")
    with pytest.raises(QueueFull, match="^You have 1 unfinished jobs, and no client may have more"):
        jobs.add()


def test_only_a_finished_job_is_deleted(jobs: Jobs) -> None:
    job = jobs.add()
    assert not jobs.queue.delete(job)
    jobs.queue.cancel(job)
    assert jobs.queue.finished_before(time.time() + 1) == [job]
    assert jobs.queue.delete(job)
    with pytest.raises(KeyError):
        jobs.queue.get(job)


def test_a_job_of_another_client_is_not_there(jobs: Jobs) -> None:
    job = jobs.add()
    assert jobs.queue.get(job, "local").id == job
    with pytest.raises(KeyError):
        jobs.queue.get(job, "anna")


def test_what_a_killed_server_leaves_is_deleted(jobs: Jobs) -> None:
    known, unknown = jobs.add(), new_id()
    (jobs.storage.incoming / "half").write_bytes(b"half")
    (jobs.storage.incoming / unknown).write_bytes(b"whole")
    jobs.storage.take(jobs.storage.incoming / unknown, unknown)
    jobs.storage.recover(jobs.queue.ids())
    assert jobs.storage.input(known).is_file()
    assert not jobs.storage.folder(unknown).exists()
    assert not list(jobs.storage.incoming.iterdir())


def test_one_server_for_one_folder(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "data")
    told = f"^Another server uses {tmp_path / 'data'}; stop it, or choose another folder with --data.$"
    with jobs.storage.served(), pytest.raises(UsageError, match=told), Storage(tmp_path / "data").served():
        pass


@pytest.mark.parametrize("name", ["..", "../" + "0" * 29, "", "0" * 31, "0" * 32 + "/x"])
def test_only_an_id_names_a_folder(jobs: Jobs, name: str) -> None:
    with pytest.raises(KeyError):
        jobs.storage.folder(name)


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (
            "master",
            {},
            "There is no kind of job called 'master'; choose one of separate, enhance, transcribe, align, diarize, "
            "analyse.",
        ),
        (
            "diarize",
            {"stems": "x"},
            "A job of kind diarize has no option 'stems'; its options are model, speakers.",
        ),
        (
            "enhance",
            {"strength": "2"},
            "The option strength of a job of kind enhance should be less than or equal to 1, got '2'.",
        ),
        (
            "separate",
            {"format": "exe"},
            "The option format of a job of kind separate should be 'wav', 'flac', 'mp3', 'opus' or 'm4a', got 'exe'.",
        ),
        (
            "separate",
            {"model": "../models/x"},
            r"The option model of a job of kind separate should match pattern "
            r"'^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$', got '../models/x'.",
        ),
    ],
)
def test_wrong_options_are_told(kind: str, given: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as error:
        options_of(kind, given)
    assert str(error.value) == told


def test_options_come_from_forms() -> None:
    options = options_of("separate", {"residual": "true", "speakers": "2-6", "model": ""})
    assert options.model_dump() == {"model": None, "speakers": "2-6", "residual": True, "format": "flac"}


def test_a_queue_of_another_release_is_refused(jobs: Jobs) -> None:
    with jobs.database.writing() as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="is of another release of unbraid \\(its version is 99, not 1\\)"):
        Database(jobs.database.path)
