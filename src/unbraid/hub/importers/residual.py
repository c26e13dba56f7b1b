"""The names of residual blocks in the checkpoints of 3D-Speaker and WeSpeaker, which both follow torchvision's."""

import re

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
