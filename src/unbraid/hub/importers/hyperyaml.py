"""HyperPyYAML read as data: the hyperparams.yaml of a SpeechBrain model, with nothing built and nothing called.

The format is a program in disguise (`!new:module.Class`, `!apply:function`, `!ref <name>`). Here a value under an
unknown tag is the value, and a reference to another top-level name is followed when its value is asked for.
"""

from pathlib import Path
from typing import Any

import yaml

from unbraid.errors import ModelError
from unbraid.files.plain_yaml import LOADER, read_yaml
from unbraid.hub.importers import settings
from unbraid.hub.importers.settings import Reference, Settings


class _DataLoader(LOADER):  # type: ignore[misc,valid-type]
    """YAML's own types, and plain values under any tag of the file's own."""


def _plain(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    text = str(node.value)
    return Reference(text) if tag == "ref" else text


_DataLoader.add_multi_constructor("!", _plain)


def read_settings(path: Path) -> Settings:
    """Read a hyperparams.yaml.

    Raises:
        ModelError: the file cannot be read, or is not a YAML mapping, or asks YAML itself for Python objects.
    """
    return settings.read_settings(
        path,
        lambda path: read_yaml(path, _DataLoader),
        "is not YAML that can be read as data",
        "is not a YAML mapping of names to settings",
    )


def section(settings: Settings, key: str, network: str) -> Settings:
    """The section of that name in the settings of a kind of network, such as "a SepFormer".

    Raises:
        ModelError: there is none.
    """
    if not isinstance(found := settings.get(key), dict):
        raise ModelError(f"{settings.path} has no section {key!r}; is it the hyperparams.yaml of {network}?")
    return settings.within(found)
