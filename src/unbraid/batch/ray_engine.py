"""The engine of a cluster: Ray Data runs actors on its machines, which do the files and return their outcomes.

Ray places, scales and restarts the actors; a file of a lost machine is done again on another. Recordings and stems go
from their place to the machine and back, never through the driver or the object store.
"""

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from unbraid.batch.items import Item
from unbraid.batch.local import Deliver
from unbraid.batch.outcome import Outcome
from unbraid.batch.separate import Attempts
from unbraid.batch.settings import Settings
from unbraid.errors import RuntimeUnavailable, UnbraidError, shortened

_BLOCKS = 20_000  # tasks of Ray Data at most; a file is one as long as there are fewer
_REACH_SECONDS = 10.0


class Actor:
    """An actor: rows with an item as JSON in, rows with an outcome as JSON out."""

    def __init__(self, settings: Settings) -> None:
        self._attempts = Attempts(settings)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do the items of a batch, {"item": array (n,)}."""
        outcomes = [self._attempts.do(Item(**json.loads(str(item)))) for item in batch["item"]]
        return {"outcome": np.array([json.dumps(outcome.as_data()) for outcome in outcomes], object)}


def run_on_ray(
    items: Sequence[Item], settings: Settings, address: str | None, actors: int | None, deliver: Deliver
) -> None:
    """Do all files on a Ray cluster, at most so many at a time (None: as there are cores for).

    Without an address, Ray is started on this machine alone.

    Raises:
        RuntimeUnavailable: Ray is not installed, or the cluster cannot be reached.
        UnbraidError: the run cannot go on.
    """
    with _connected(address) as ray:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        threads = settings.threads or 1
        most = actors or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        rows = [{"item": json.dumps(asdict(item))} for item in items]
        data = ray.data.from_items(rows, override_num_blocks=min(len(rows), _BLOCKS)).map_batches(
            Actor,
            fn_constructor_args=(settings,),
            batch_size=1,
            num_cpus=threads,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            max_restarts=-1,
            max_task_retries=-1,
        )
        try:
            for row in data.iter_rows():
                outcome = Outcome.of_data(json.loads(row["outcome"]))
                if outcome.error_kind == "disk":
                    raise UnbraidError(f"{outcome.error} Then go on with --resume.")
                deliver(outcome)
        except ray.exceptions.RayError as error:
            raise UnbraidError(f"The run on Ray has ended: {shortened(str(error))}. Go on with --resume.") from error


def check_ray(address: str | None) -> None:
    """Refuse a run before any work where Ray is not installed, or nothing answers at the address.

    Ray itself tries for minutes.

    Raises:
        RuntimeUnavailable: saying what lacks.
    """
    _ray()
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, error) from None


def _unreachable(address: str | None, error: Exception) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"No Ray cluster can be reached at {address or 'this machine'} ({shortened(str(error))}); start one with "
        "`ray start --head`, or give its --address."
    )


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise RuntimeUnavailable(
            f"--engine ray needs {error.name}, which is not installed; get it with `pip install 'unbraid[ray]'`."
        ) from None
    return ray


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _unreachable(address, error) from None
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()
