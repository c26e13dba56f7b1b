"""Write the graphs that ship with the package: `python -m unbraid.models.onnx src/unbraid/assets/graphs`."""

import sys
from pathlib import Path

from unbraid.hub.graphs import graph_name, packed
from unbraid.models.geometry import Geometry, SepFormerGeometry, UNetGeometry, Wav2Vec2Geometry
from unbraid.models.onnx.build import build_graph

PUBLISHED: tuple[Geometry, ...] = (
    *(SepFormerGeometry(sources=sources) for sources in (1, 2, 3)),
    UNetGeometry(stems=2),
    UNetGeometry(stems=4, encoder_activation="elu", decoder_activation="elu"),
    UNetGeometry(stems=5, encoder_activation="elu", decoder_activation="elu", output="softmax"),
    Wav2Vec2Geometry(),
    Wav2Vec2Geometry(
        features=1024, heads=16, hidden=4096, layers=24, filter_bias=True, filter_norm="layer", pre_norm=True
    ),
)


def main(folder: Path) -> None:
    """Write every published geometry's graphs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for geometry in PUBLISHED:
        for dtype in ("float32", "int8") if isinstance(geometry, SepFormerGeometry) else ("float32",):
            (folder / graph_name(geometry, dtype)).write_bytes(packed(build_graph(geometry, dtype)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
