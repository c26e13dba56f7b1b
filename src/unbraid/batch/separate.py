"""`Separate`: the work of a batch as a class for `ray.data.Dataset.map_batches`, or any other pipeline.

    data = ray.data.read_parquet("s3://archive/files.parquet")          # with a column "path"
    done = data.map_batches(
        unbraid.batch.Separate, fn_constructor_kwargs={"output": "s3://archive/stems", "model": "music-4"},
        batch_size=1, num_cpus=1, concurrency=8,
    )
    done.write_parquet("s3://archive/manifest")

Only addresses and outcomes pass through the data set; workers fetch recordings and write stems themselves.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from unbraid.batch.inputs import COLUMN, relative_of
from unbraid.batch.items import Found, Item, named
from unbraid.batch.outcome import ATTEMPTS, Outcome
from unbraid.batch.settings import Settings, Task
from unbraid.batch.worker import Crashed, Worker, judged
from unbraid.errors import UsageError, quoted
from unbraid.runtime.executor import Precision


class Separate:
    """Does a task for the files that a batch names, and returns the batch with columns about what became of them.

    The columns are `status` ("done" or "failed"), `outputs` (a list of files below `output`), `model`,
    `audio_seconds`, `elapsed_seconds`, `error_kind` and `error`. A file that cannot be done is a row with its error,
    never an exception. The work is done in a process of its own, so that a file which crashes it takes nothing along.
    """

    def __init__(
        self,
        output: str,
        model: str | None = None,
        *,
        task: Task = "separate",
        column: str = COLUMN,
        format: str = "flac",
        threads: int | None = 1,
        precision: Precision = "float32",
    ):
        """Prepare to write to OUTPUT, a path that every machine has, or an address such as s3://bucket/stems.

        Raises:
            UsageError: the task, the format, or the model's task does not fit.
            ModelError: there is no such model, or its folder is damaged.
        """
        settings = Settings(output, task, model, format, precision=precision, threads=threads)
        settings.check()
        self._column, self._attempts = column, Attempts(settings)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Do the files in a batch, {column: array (n,)}.

        Raises:
            UsageError: the batch has no column of that name.
        """
        if self._column not in batch:
            raise UsageError(f"The batch has no column {quoted(self._column)}, only {', '.join(map(quoted, batch))}.")
        addresses = [str(address) for address in batch[self._column]]
        names = {item.address: item for item in named(Found(a, relative_of(a)) for a in addresses)}
        outcomes = [self._attempts.do(names[address]) for address in addresses]
        return {**batch, **_columns(outcomes)}

    def close(self) -> None:
        """End the process; it also ends with this one."""
        self._attempts.close()


class Attempts:
    """Files done in a worker process, each with as many attempts as it may have."""

    def __init__(self, settings: Settings) -> None:
        self._worker, self._limit = Worker(settings), settings.limit_seconds

    def do(self, item: Item) -> Outcome:
        """Do a file, to its end."""
        for attempt in range(1, ATTEMPTS + 1):
            self._worker.send(item)
            try:
                outcome: Outcome | Crashed = self._worker.receive(self._limit)
            except Crashed as crashed:
                outcome = crashed
            told = judged(item, outcome, attempt)
            if told.status != "again":
                break
        return told

    def close(self) -> None:
        """End the process."""
        self._worker.stop()


def _columns(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    rows = list(outcomes)
    outputs = np.empty(len(rows), object)
    outputs[:] = [[f"{row.name}/{file.name}" for file in row.outputs] for row in rows]
    columns: dict[str, Any] = {"status": np.array([row.status for row in rows]), "outputs": outputs}
    for name in ("model", "audio_seconds", "elapsed_seconds", "error_kind", "error"):
        values = [getattr(row, name) for row in rows]
        is_number = name.endswith("seconds")
        columns[name] = (
            np.array([np.nan if value is None else value for value in values], float)
            if is_number
            else (np.array(values, object))
        )
    return columns
