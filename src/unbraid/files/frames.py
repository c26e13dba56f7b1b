"""Rows as a table of pandas, where pandas is installed; nothing else of the package needs it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from unbraid.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(rows: Iterable[Mapping[str, object]]) -> "DataFrame":
    """A row for each mapping, a column for each of its keys.

    Raises:
        RuntimeUnavailable: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        told = "A table needs pandas, which is not installed; get it with `pip install pandas`."
        raise RuntimeUnavailable(told) from None
    return pandas.DataFrame([dict(row) for row in rows])
