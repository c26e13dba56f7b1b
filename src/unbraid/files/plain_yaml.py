"""Untrusted YAML within limits of size, depth and number of values.

Nine lines of aliases can mean 10^9 values. PyYAML shares them, but merges (`<<`) copy them, so values are counted
first, on the events that the parser gives before anything is built. The returned values may still be
shared, which callers have to consider (as `errors.quoted` does).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unbraid.errors import shortened
from unbraid.files.bounded import read_bytes

MOST_BYTES = 128 << 10
MOST_VALUES = 20_000
DEEPEST = 32
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it: ten times as fast


class NotYaml(ValueError):
    """A text that is not YAML, or not within bounds: why, and in which line, if that is known."""

    def __init__(self, reason: str, line: int | None = None):
        super().__init__(shortened(reason))
        self.line = line


def read_yaml(path: Path, loader: Any = LOADER) -> Any:
    """The value of a YAML file, built by a loader of PyYAML's.

    Raises:
        OSError: it cannot be read.
        NotYaml: it is not YAML, is nested too deeply, or has too many values.
        ValueError: it is not a regular file, or too large.
    """
    data = read_bytes(path, MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
        _check_events(text, loader)
        return yaml.load(text, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(error.problem or error.context or "unreadable", mark.line + 1 if mark else None) from None
    except Exception as error:  # hostile input: PyYAML's constructors trip over scalars in many ways
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise NotYaml(str(reason)) from None


def _check_events(text: str, loader: Any) -> None:
    """Count the values of a text without building any: those written, and with merges those that aliases stand for."""
    sizes: dict[str | None, int] = {}  # of anchored values, aliases followed
    around = [_Collection(None)]
    written, merges = 0, False
    for event in yaml.parse(text, loader):
        written += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.CollectionStartEvent):
            around.append(_Collection(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = around.pop()
            sizes[closed.anchor] = closed.size
            around[-1].add(closed.size)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1
            around[-1].add(1)
            merges = merges or event.value == "<<"
        elif isinstance(event, yaml.AliasEvent):
            around[-1].add(sizes.get(event.anchor, MOST_VALUES))  # else it refers to a collection around it
        if written > MOST_VALUES or (merges and around[-1].size > MOST_VALUES):
            raise ValueError(f"it has more than {MOST_VALUES} values")
        if len(around) > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")


@dataclass
class _Collection:
    """A list or mapping that is being read."""

    anchor: str | None
    size: int = 1

    def add(self, values: int) -> None:
        """Count some more, as far as it matters."""
        self.size = min(self.size + values, 2 * MOST_VALUES)
