"""Put trained checkpoints into the package as its default models, float16, with licence, provenance and scores.

    python training/package_models.py --speech runs/speech-2 runs/speech-3 --music runs/music

A speech run's folder is called like its model. Each run's folder holds `best.pt` and `scores.json`, {"score, variant
and set": value}, for the card; music scores are under the model's name.
"""

import argparse
import json
import shutil
from pathlib import Path

from unbraid.export import export_checkpoint
from unbraid.geometry import SepFormerGeometry
from unbraid.graph import build_graph
from unbraid.graphs import graph_name

ASSETS = Path(__file__).parents[1] / "src" / "unbraid" / "assets"
MODELS, GRAPHS = ASSETS / "models", ASSETS / "graphs"
LICENCE = "CC BY-SA 4.0"
SPEECH = (
    "Trained by the unbraid authors on mixtures of LibriSpeech, VCTK and Arabic Speech Commands (CC BY 4.0), EmoDB "
    "(CC0), LJ Speech (public domain), speechocean762 (free for any use) and FSDD (CC BY-SA 4.0): 3.1 hours of 279 "
    "speakers at 8 kHz, and noises of ESC-10 (CC0, CC BY 3.0). See docs/training.md."
)
MUSIC = (
    "Trained by the unbraid authors on four songs of 'everything is free' (CC0), on Freedoom's songs (BSD) and the "
    "Groove MIDI Dataset (CC BY 4.0) rendered with FluidR3 GM and MuseScore General (MIT), and on a little speech from "
    "LibriSpeech and Arabic Speech Commands (CC BY 4.0), EmoDB (CC0) and FSDD (CC BY-SA 4.0). See docs/training.md."
)
STEMS = {"music-4": ("vocals", "drums", "bass", "other"), "music-2": ("vocals", "accompaniment")}


def package(run: Path, name: str, provenance: str, scores: dict[str, float], stems: tuple[str, ...] | None) -> None:
    """Export one model over the one that is there."""
    destination = MODELS / name
    fresh = destination.with_name(f"{name}.new")
    spec = export_checkpoint(
        run / "best.pt", fresh, name=name, dtype="float16", stems=stems, licence=LICENCE, provenance=provenance,
        scores=scores,
    )  # fmt: skip
    shutil.rmtree(destination, ignore_errors=True)
    fresh.rename(destination)
    if isinstance(spec.geometry, SepFormerGeometry):
        (GRAPHS / graph_name(spec.geometry, "int8")).write_bytes(build_graph(spec.geometry, "int8"))
    print(f"{destination}: {sum(f.stat().st_size for f in destination.iterdir()) / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, nargs="*", default=[], help="run folders of `unbraid train`")
    parser.add_argument("--music", type=Path, help="run folder of train_music.py")
    args = parser.parse_args()
    for run in args.speech:
        package(run, run.name, SPEECH, json.loads((run / "scores.json").read_text()), None)
    if args.music:
        scores = json.loads((args.music / "scores.json").read_text())
        for name, stems in STEMS.items():
            package(args.music, name, MUSIC, scores[name], stems)


if __name__ == "__main__":
    main()
