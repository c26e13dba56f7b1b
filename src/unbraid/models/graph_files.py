"""Files of graphs without weights, as they ship with the package."""

import dataclasses
import gzip
import itertools
import lzma
from typing import Any, cast

from unbraid.models.config import Config
from unbraid.models.family import family_of


def graph_name(geometry: Config, dtype: str, part: str = "model") -> str:
    """The file name of a shipped graph: family, sizes in the order of the dataclass, dtype of the weights.

    Sizes that a family got later are named only where they differ from their defaults; those that no graph depends on,
    not at all.
    """
    family = family_of(geometry) if part == "model" else f"{family_of(geometry)}-{part}"
    pairs = zip(dataclasses.fields(cast(Any, geometry)), dataclasses.astuple(cast(Any, geometry)), strict=True)
    inside = [(field, value) for field, value in pairs if field.name not in geometry.OUTSIDE]
    values = [value for field, value in inside if field.name not in geometry.LATER or value != field.default]
    return f"{family}-{'-'.join(map(_joined, values))}.{dtype}.onnx.{'xz' if geometry.GRAPH_SCALE > 1 else 'gz'}"


def packed(graph: bytes, name: str = "") -> bytes:
    """A graph as it ships under a name: node names and little else, so a tenth of its size.

    Where the same layers come again and again, LZMA finds them, and gzip, which looks back 32 kB, does not.
    """
    return lzma.compress(graph) if name.endswith(".xz") else gzip.compress(graph, mtime=0)


def unpacked(data: bytes, name: str = "") -> bytes:
    """The graph in a file of that name."""
    return lzma.decompress(data) if name.endswith(".xz") else gzip.decompress(data)


def _joined(value: object) -> str:
    """A size, or several: 512 512 512 256 is 3of512x256, since paths on Windows are short."""
    if not isinstance(value, tuple):
        return str(value)
    runs = [(size, len(list(run))) for size, run in itertools.groupby(map(_joined, value))]
    return "x".join(size if count == 1 else f"{count}of{size}" for size, count in runs)
