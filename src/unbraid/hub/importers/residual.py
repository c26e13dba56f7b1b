"""The names of residual blocks in the checkpoints of 3D-Speaker and WeSpeaker, which both follow torchvision's."""

import re
from collections.abc import Iterable

BLOCKS = r"layer(\d+)\.(\d+)\."
_PARTS = {
    "inlet.conv": "conv1",
    "inlet.norm": "bn1",
    "outlet.conv": "conv2",
    "outlet.norm": "bn2",
    "shortcut.conv": "shortcut.0",
    "shortcut.norm": "shortcut.1",
}


def published_module(name: str) -> str:
    """The published name of a module within residual stages: `stages.0.1.inlet.conv` -> `layer1.1.conv1`."""
    match = re.fullmatch(r"(?:stages\.(\d+)\.(\d+)\.)?(\w+\.(?:conv|norm))", name)
    if not match:
        raise KeyError(name)
    stage, block, part = match.groups()
    return (f"layer{int(stage) + 1}.{block}." if stage else "") + _PARTS[part]


def blocks_of_stages(names: Iterable[str], pattern: str = BLOCKS) -> tuple[int, ...]:
    """How many blocks each stage has, by the names of tensors: they begin with a pattern of a stage and a block."""
    places = {match.groups() for name in names if (match := re.match(pattern, name))}
    stages = [int(stage) for stage, _ in places]
    return tuple(stages.count(stage) for stage in sorted(set(stages)))
