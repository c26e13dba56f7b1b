"""A run of a batch: find the files, plan, let an engine do them, and keep the journal and the manifest."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from unbraid.batch.addresses import is_remote
from unbraid.batch.inputs import COLUMN, find
from unbraid.batch.journal import Journal
from unbraid.batch.local import Deliver, run_local
from unbraid.batch.manifest import Manifest, check_pyarrow
from unbraid.batch.outcome import Outcome
from unbraid.batch.places import place_of
from unbraid.batch.plan import Plan, Retry, check_same_run, planned
from unbraid.batch.ray_engine import check_ray, run_on_ray
from unbraid.batch.settings import Settings
from unbraid.batch.summary import Totals, write_summary
from unbraid.batch.worker import Worker
from unbraid.errors import UnbraidError, UsageError, refused

Engine = Literal["local", "ray"]
NAME = "manifest.parquet"


@dataclass(frozen=True)
class Request:
    """A run, before anything is looked at."""

    inputs: Sequence[str]
    settings: Settings
    manifest: Path
    column: str = COLUMN
    engine: Engine = "local"
    processes: int | None = None  # None: as many as there are cores for
    address: str | None = None  # of a Ray cluster
    resume: bool = False
    retry: Retry | None = None

    @property
    def journal(self) -> Path:
        """The journal beside the manifest."""
        return self.manifest.with_suffix(".jsonl")

    @property
    def summary(self) -> Path:
        """The page beside the manifest."""
        return self.manifest.with_suffix(".html")


@dataclass
class Result:
    """The result of a run."""

    plan: Plan
    totals: Totals = field(default_factory=Totals)  # of this run


Tell = Callable[[Outcome, Result], None]


def manifest_of(output: str, given: str | None) -> Path:
    """The manifest's file: as given, or in the output folder.

    Raises:
        UsageError: it is not a Parquet file of this machine, or there is no output folder to put it in.
    """
    if not output:
        raise UsageError("The name of the output is empty; name a folder with -o, or use . for the current one.")
    if not is_remote(output) and os.path.lexists(output) and not os.path.isdir(output):
        raise UsageError(f"{output} is a file, and outputs go into a folder; name another place with -o.")
    if given is None and is_remote(output):
        raise UsageError(
            "A run with outputs elsewhere needs a --manifest on this machine, such as --manifest run.parquet."
        )
    path = Path(output) / NAME if given is None else Path(given)
    if given is not None and (is_remote(given) or path.suffix != ".parquet"):
        raise UsageError(f"The manifest is a file of this machine that ends in .parquet, not {given}.")
    return Path(os.path.abspath(path))


@contextmanager
def prepared(request: Request) -> Iterator[tuple[Journal, Plan]]:
    """The open journal of a run, and its plan.

    Raises:
        UsageError: the request cannot be met; nothing was done.
        UnbraidError: a model, a package or a place is not there.
    """
    check_pyarrow()
    if request.engine == "ray":
        check_ray(request.address)
    is_new = not request.journal.exists()
    with Journal.opened(request.journal) as journal:
        try:
            _refuse_others(request, journal)
            check_same_run(journal, request.settings, resume=request.resume or request.retry is not None)
            request.settings.check()
            place = place_of(request.settings.output)
            yield journal, planned(find(request.inputs, request.column), journal, place, request.retry)
        finally:
            if is_new and journal.settings is None:  # nothing was begun
                request.journal.unlink(missing_ok=True)


def _refuse_others(request: Request, journal: Journal) -> None:
    """Refuse to replace a manifest and a page that are not of this journal, which is new or empty.

    Raises:
        UsageError: there is one.
    """
    for path in (request.manifest, request.summary):
        if journal.settings is None and path.exists():
            raise UsageError(f"{path} exists, but no journal {request.journal.name}; choose another --manifest.")


def run(request: Request, journal: Journal, plan: Plan, tell: Tell) -> Result:
    """Do all that a plan has left; `tell` hears of each attempt.

    Raises:
        UnbraidError: the run cannot go on, as of a full disk; what was done is in the journal and the manifest.
    """
    result = Result(plan)
    manifest = Manifest(journal, request.manifest)

    def deliver(outcome: Outcome) -> None:
        with _disk_of(request.journal):
            journal.add(outcome)
            manifest.refresh()
        result.totals.add(outcome)
        tell(outcome, result)

    with place_of(request.settings.output).running():
        if journal.settings is None:
            with _disk_of(request.journal):
                journal.begin(request.settings.identity)
        try:
            _run_engine(request, plan, deliver)
        finally:
            with _disk_of(request.manifest):
                manifest.refresh(now=True)
                write_summary(request.summary, journal)
    return result


def _run_engine(request: Request, plan: Plan, deliver: Deliver) -> None:
    if not plan.left:
        return
    if request.engine == "ray":
        run_on_ray(plan.left, request.settings, request.address, request.processes, deliver)
    else:
        with ExitStack() as opened:
            count = min(processes_of(request), len(plan.left))
            workers = [opened.enter_context(Worker(request.settings)) for _ in range(count)]
            run_local(plan.left, workers, deliver, plan.attempts, request.settings.limit_seconds)


@contextmanager
def _disk_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnbraidError(f"{refused(path, error)} Then go on with --resume.") from error


def processes_of(request: Request) -> int:
    """The number of workers on this machine."""
    if request.processes is not None:
        return request.processes
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // (request.settings.threads or cores))


def with_model_path(settings: Settings) -> Settings:
    """Settings that name a model folder by its absolute path, so that workers elsewhere find it."""
    if settings.model is not None and os.path.isdir(settings.model):
        return dataclasses.replace(settings, model=os.path.abspath(settings.model))
    return settings
