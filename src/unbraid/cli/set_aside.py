"""Warnings about recordings set aside, printed as plain sentences."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from unbraid.cli.console import notice


@contextmanager
def warnings_told() -> Iterator[None]:
    """Print each warning about a recording set aside, in this process and in those it forks."""
    from unbraid.corpora.set_aside import SetAside

    show = warnings.showwarning

    def tell(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, SetAside):
            notice(f"warning: {message}")
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", SetAside)
        warnings.showwarning = tell
        yield
