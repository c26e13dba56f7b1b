"""The YAML file beside a song, as MedleyDB and Slakh have it: what is heard on each of its stems."""

from collections.abc import Mapping
from pathlib import Path

from unbraid.errors import UsageError
from unbraid.plain_yaml import NotYaml, read_yaml


def read_stems(path: Path) -> dict[str, Mapping[str, object]]:
    """What the file says of each stem, by the stem's name.

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
    return {str(name): stem for name, stem in stems.items()}
