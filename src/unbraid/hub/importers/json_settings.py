"""A JSON file of settings, as `transformers` writes them, with the checks of `hyperyaml.Settings`."""

from pathlib import Path

from unbraid.errors import ModelError
from unbraid.files.bounded import read_json as read_value
from unbraid.hub.importers.hyperyaml import Settings


def read_json(path: Path) -> Settings:
    """Read an object of settings.

    Raises:
        ModelError: the file cannot be read, or is not a JSON object.
    """
    try:
        root = read_value(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.") from None
    if not isinstance(root, dict):
        raise ModelError(f"{path} is not a JSON object of names and values.")
    return Settings(path, root, root)
