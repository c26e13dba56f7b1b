"""HyperPyYAML read as data: the hyperparams.yaml of a SpeechBrain model, with nothing built and nothing called.

The format is a program in disguise (`!new:module.Class`, `!apply:function`, `!ref <name>`). Here a value under an
unknown tag is the value, and a reference to another top-level name is resolved on access.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unbraid.errors import ModelError, quoted, shortened
from unbraid.files.plain_yaml import LOADER, read_yaml

LONGEST_CHAIN = 16  # references to references; a longer chain is a circle
LARGEST = 1 << 20
Rules = dict[str, tuple[Any, Any]]  # setting: (its default, the only value allowed)


class _Reference(str):
    """The text of a `!ref`, still to be followed."""


class _DataLoader(LOADER):  # type: ignore[misc,valid-type]
    """YAML's own types, and plain values under any tag of the file's own."""


def _plain(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    text = str(node.value)
    return _Reference(text) if tag == "ref" else text


_DataLoader.add_multi_constructor("!", _plain)


@dataclass(frozen=True)
class Settings:
    """A section of the file, and the whole that references point into."""

    path: Path
    root: dict[str, Any]
    section: dict[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a setting, references followed; the default when it is absent."""
        value = self.section.get(key)
        for _ in range(LONGEST_CHAIN):
            if not isinstance(value, _Reference):
                return default if value is None else value
            if (name := value.strip().removeprefix("<").removesuffix(">")) not in self.root:
                raise ModelError(f"{self.path}: {key} is the reference {shortened(value)}, which leads to no setting.")
            value = self.root[name]
        raise ModelError(f"{self.path}: the references of {key} go round in a circle.")

    def within(self, key: str) -> "Settings":
        """The section of that name."""
        value = self.get(key)
        if not isinstance(value, dict):
            raise ModelError(f"{self.path} has no section {key!r}; is it the hyperparams.yaml of a SepFormer?")
        return Settings(self.path, self.root, value)

    def positive(self, key: str, default: int | None = None) -> int:
        """A whole number above zero."""
        value = self.get(key, default)
        if type(value) is not int or value < 1:
            raise ModelError(f"{self.path}: {key} is {quoted(value)}, expected a whole number above zero.")
        if value > LARGEST:
            raise ModelError(f"{self.path}: {key} is {quoted(value)}, which no network has; the most is {LARGEST}.")
        return value

    def require(self, rules: Rules) -> None:
        """Refuse settings that would make another network than the one we have."""
        for key, (default, allowed) in rules.items():
            if (value := self.get(key, default)) != allowed:
                raise ModelError(
                    f"{self.path}: {key} is {quoted(value)}; a network that can be imported has {quoted(allowed)}."
                )


def read_settings(path: Path) -> Settings:
    """Read a hyperparams.yaml.

    Raises:
        ModelError: the file cannot be read, or is not a YAML mapping, or asks YAML itself for Python objects.
    """
    try:
        root = read_yaml(path, _DataLoader)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise ModelError(f"{path} is not YAML that can be read as data: {error}.") from None
    if not isinstance(root, dict):
        raise ModelError(f"{path} is not a YAML mapping of names to settings.")
    return Settings(path, root, root)
