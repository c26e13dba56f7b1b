"""The settings of a published network, from a JSON file or a HyperPyYAML one (`hyperyaml`), and checks of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unbraid.errors import ModelError, quoted, shortened
from unbraid.files import bounded, plain_yaml

LONGEST_CHAIN = 16  # references to references; a longer chain is a circle
LARGEST = 1 << 20
Rules = dict[str, tuple[Any, Any]]  # setting: (its default, the only value allowed)


class Reference(str):
    """The name of another setting at the top of the file, whose value this one has."""


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
            if not isinstance(value, Reference):
                return default if value is None else value
            if (name := value.strip().removeprefix("<").removesuffix(">")) not in self.root:
                raise ModelError(f"{self.path}: {key} is the reference {shortened(value)}, which leads to no setting.")
            value = self.root[name]
        raise ModelError(f"{self.path}: the references of {key} go round in a circle.")

    def within(self, section: Any) -> "Settings":
        """The settings of a section; none where it is no mapping."""
        return replace(self, section=section if isinstance(section, dict) else {})

    def positive(self, key: str, default: int | None = None) -> int:
        """A whole number above zero."""
        value = self.get(key, default)
        if type(value) is not int or value < 1:
            raise self.misfit(key, value, "a whole number above zero")
        if value > LARGEST:
            raise ModelError(f"{self.path}: {key} is {quoted(value)}, which no network has; the most is {LARGEST}.")
        return value

    def positives(self, key: str, default: Sequence[int], count: int | None = None) -> tuple[int, ...]:
        """A list of whole numbers above zero, as many as COUNT says, or at least one."""
        values = self.get(key, list(default))
        right = isinstance(values, list) and len(values) == (count or len(values) or 1)
        if not right or not all(type(value) is int and value > 0 for value in values):
            raise self.misfit(key, values, f"{count or 'a list of'} whole numbers above zero")
        return tuple(values)

    def flag(self, key: str, default: bool) -> bool:
        """A setting that is true or false."""
        if not isinstance(value := self.get(key, default), bool):
            raise self.misfit(key, value, "true or false")
        return value

    def require(self, rules: Rules) -> None:
        """Refuse settings that would make another network than the one we have."""
        for key, (default, allowed) in rules.items():
            if (value := self.get(key, default)) != allowed:
                raise ModelError(
                    f"{self.path}: {key} is {quoted(value)}; a network that can be imported has {quoted(allowed)}."
                )

    def misfit(self, key: str, value: Any, expected: str) -> ModelError:
        """The error for a value that is not as expected."""
        return ModelError(f"{self.path}: {key} is {quoted(value)}, expected {expected}.")


def read_settings(path: Path, read: Callable[[Path], Any], otherwise: str, wrong: str) -> Settings:
    """The mapping in a file; OTHERWISE and WRONG are what is said of files without a value, or without a mapping.

    Raises:
        ModelError: the file cannot be read, or holds something else.
    """
    with bounded.readable(path, ModelError, otherwise):
        root = read(path)
    if not isinstance(root, dict):
        raise ModelError(f"{path} {wrong}.")
    return Settings(path, root, root)


def read_yaml(path: Path) -> Settings:
    """The mapping in a YAML file.

    Raises:
        ModelError: as `read_settings`.
    """
    return read_settings(path, plain_yaml.read_yaml, "is not YAML", "is not a YAML mapping of names to settings")


def read_json(path: Path, wrong: str = "is not a JSON object of names and values") -> Settings:
    """The object in a JSON file.

    Raises:
        ModelError: as `read_settings`.
    """
    return read_settings(path, bounded.read_json, "is not JSON", wrong)


def states_model_type(path: Path, *kinds: str) -> bool:
    """Whether a config.json of transformers states one of these values of `model_type`; False if it is unreadable."""
    try:
        return read_json(path).get("model_type") in kinds
    except ModelError:
        return False
