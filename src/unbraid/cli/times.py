"""Times on the command line: seconds, or minutes and hours in front of them, as players show them.

12.5      0:12.5      1:02:03.5
"""

import re

import typer

from unbraid.errors import quoted

METAVAR = "TIME"
_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:\.\d*)?)", re.ASCII)  # hours, minutes, seconds


def seconds_of(text: str | float) -> float:
    """The seconds of "12.5", "0:12.5" or "1:02:03.5"; a number is given back.

    Raises:
        typer.BadParameter: it is no time; the message says how times are written.
    """
    try:
        return float(text)
    except ValueError:
        parts = _CLOCK.fullmatch(str(text).strip())
    if parts is None:
        raise typer.BadParameter(f"{quoted(text)} is no time; write seconds, such as 12.5, or 0:12.5 or 1:02:03.5.")
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 3600 * hours + 60 * minutes + seconds
