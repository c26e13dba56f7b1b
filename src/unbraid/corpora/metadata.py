"""The YAML file beside a song, as MedleyDB and Slakh have it: what is heard on each of its stems."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from unbraid.errors import UsageError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it: ten times as fast


def read_stems(path: Path) -> dict[str, Mapping[str, object]]:
    """What the file says of each stem, by the stem's name.

    Raises:
        UsageError: the file is not there, is not YAML, or lists no stems.
    """
    remedy = "Get the file anew, or take the song out"
    try:
        content = yaml.load(path.read_bytes(), _LOADER)
    except FileNotFoundError:
        raise UsageError(f"There is no {path}, which says what each stem holds. {remedy}.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. {remedy}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise UsageError(f"{path}{line} is not YAML: {reason}. {remedy}.") from None
    stems = content.get("stems") if isinstance(content, dict) else None
    if not isinstance(stems, dict) or not stems or not all(isinstance(stem, dict) for stem in stems.values()):
        raise UsageError(f"{path} has no list `stems` that says what each stem holds. {remedy}.")
    return {str(name): stem for name, stem in stems.items()}
