"""The manifest of a batch as a Parquet file: a row for each file that was tried, made of the journal.

It is written now and then and at the end, and appears whole; the journal is true at any moment. Rows go from the one to
the other in groups, so that memory does not grow with their size.
"""

import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from unbraid.batch.journal import Journal
from unbraid.batch.outcome import Outcome
from unbraid.errors import RuntimeUnavailable
from unbraid.files.atomic import appearing

_ROWS = 10_000  # of a group
_INTERVAL_SECONDS = 60.0
_SHARE = 0.02  # of the time that may go into writing


def check_pyarrow() -> None:
    """Refuse a run without pyarrow, before any work.

    Raises:
        RuntimeUnavailable: it is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise RuntimeUnavailable(
            f"A manifest needs {error.name}, which is not installed; get it with `pip install 'unbraid[batch]'`."
        ) from None


def write_manifest(journal: Journal, path: Path) -> None:
    """Write the manifest of a journal.

    Raises:
        OSError: the disk refuses.
    """
    import pyarrow as pa
    from pyarrow import parquet

    settings = json.dumps(journal.settings)
    schema = _schema(pa).with_metadata({"unbraid": settings})
    outcomes = journal.outcomes()
    with appearing(path) as fresh, parquet.ParquetWriter(fresh, schema, compression="zstd") as writer:
        for rows in _groups(outcomes):
            writer.write_table(pa.Table.from_pylist([_row(outcome, settings) for outcome in rows], schema))


class Manifest:
    """The manifest of a journal, brought up to date now and then."""

    def __init__(self, journal: Journal, path: Path) -> None:
        self._journal, self._path = journal, path
        self._due = time.monotonic() + _INTERVAL_SECONDS

    def refresh(self, *, now: bool = False) -> None:
        """Write it where it is due; a large one takes longer, and is due less often.

        Raises:
            OSError: the disk refuses.
        """
        started = time.monotonic()
        if now or started >= self._due:
            write_manifest(self._journal, self._path)
            took = time.monotonic() - started
            self._due = time.monotonic() + max(_INTERVAL_SECONDS, took / _SHARE)


def _groups(outcomes: Iterator[Outcome]) -> Iterator[list[Outcome]]:
    while rows := list(islice(outcomes, _ROWS)):
        yield rows


def _row(outcome: Outcome, settings: str) -> dict[str, Any]:
    data = outcome.as_data()
    data["realtime_factor"] = outcome.realtime_factor
    data["finished"] = round(1000 * outcome.finished)
    data["options"] = settings
    for key in ("address", "name", "error"):  # names of files need not be UTF-8; Parquet's texts must
        data[key] = data[key] and data[key].encode(errors="surrogateescape").decode(errors="backslashreplace")
    return data


def _schema(pa: Any) -> Any:
    """The columns of the manifest."""
    text, number, whole = pa.string(), pa.float64(), pa.int64()
    output = pa.struct([("name", text), ("bytes", whole), ("sha256", text)])
    columns = {
        "address": text,
        "name": text,
        "status": text,
        "attempts": pa.int32(),
        "input_bytes": whole,
        "input_version": text,
        "model": text,
        "model_sha256": text,
        "options": text,
        "audio_seconds": number,
        "elapsed_seconds": number,
        "realtime_factor": number,
        "peak_memory_bytes": whole,
        "outputs": pa.list_(output),
        "error_kind": text,
        "error": text,
        "notices": pa.list_(text),
        "host": text,
        "finished": pa.timestamp("ms", tz="UTC"),
    }
    return pa.schema(list(columns.items()))
