"""The YAML file beside a song of MedleyDB or Slakh, with the instruments of each stem."""

from collections.abc import Mapping
from pathlib import Path

from unbraid.errors import MOST_QUOTED, UsageError, shortened
from unbraid.files.plain_yaml import NotYaml, read_yaml


def read_stems(path: Path) -> dict[str, Mapping[str, object]]:
    """The metadata of each stem, by the stem's name.

    Raises:
        UsageError: the file is not there, is not YAML, or lists no stems.
    """
    remedy = "Get the file anew, or take the song out"
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise UsageError(f"There is no {path}, which says what each stem holds. {remedy}.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. {remedy}.") from None
    except NotYaml as error:
        line = f", line {error.line}" if error.line else ""
        raise UsageError(f"{path}{line} is not YAML: {error}. {remedy}.") from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}. {remedy}.") from None
    stems = content.get("stems") if isinstance(content, dict) else None
    if not isinstance(stems, dict) or not stems or not all(isinstance(stem, dict) for stem in stems.values()):
        raise UsageError(f"{path} has no list `stems` that says what each stem holds. {remedy}.")
    if not all(isinstance(name, str | int) and len(shortened(str(name))) < MOST_QUOTED for name in stems):
        raise UsageError(f"{path} has a stem whose name is too long, or none. {remedy}.")
    return {str(name): {key: _plain(value) for key, value in stem.items()} for name, stem in stems.items()}


def _plain(value: object) -> object:
    """A single value or a flat list as it is; None for anything nested, which might be endless."""
    values = value if isinstance(value, list) else [value]
    return (
        value if len(values) < MOST_QUOTED and not any(isinstance(one, list | dict | set) for one in values) else None
    )
