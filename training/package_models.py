"""Put trained checkpoints into the package as its default models, float16, with licence, provenance and scores.

    python training/package_models.py runs/speech-2 runs/speech-3 runs/music-2 runs/music-4 runs/music-5
    python training/package_models.py runs/g2p runs/digits runs/denoise runs/voice
    python training/package_models.py training/campaigns/speech

A run's folder is called like its model and holds `best.pt` and `log.csv`, a campaign's `checkpoint.pt` and `curve.csv`.
The scores for the card are `scores.json` of the run, {"score, variant and set": value}; of a music run they are what
`unbraid evaluate` has put under `scores/`. The card also tells the recipe, how it was changed, and the curve, from the
run's own record, and what `training/cards/NAME.md` adds to that.
"""

import argparse
import csv
import json
from pathlib import Path

from unbraid.files.atomic import appearing
from unbraid.models.graph_files import graph_name, packed
from unbraid.models.onnx.build import build_graph
from unbraid.training.export import export_checkpoint
from unbraid.training.recipe import read_recipe

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "src" / "unbraid" / "assets"
MODELS, GRAPHS = ASSETS / "models", ASSETS / "graphs"
RECIPES, CARDS = ROOT / "recipes", ROOT / "training" / "cards"
UNTOLD = {
    "name",
    "description",
    "data.workers",
    "trainer.accelerator",
    "trainer.parts",
    "trainer.max_minutes",
    "model.family",
    "spectral.exponent",
}
CURVE_ROWS = 12
LICENCE = "CC BY-SA 4.0"
SPEECH = (
    "Trained by the unbraid authors on mixtures of LibriSpeech, VCTK and Arabic Speech Commands (CC BY 4.0), EmoDB "
    "(CC0), LJ Speech (public domain), speechocean762 (free for any use) and FSDD (CC BY-SA 4.0): 3.1 hours of 279 "
    "speakers at 8 kHz, and noises of ESC-10 (CC0, CC BY 3.0). See docs/training-log.md."
)
MUSIC = (
    "Trained by the unbraid authors on four songs of 'everything is free' (CC0) and on 485 songs that `unbraid data "
    "render` made of Freedoom's music (BSD) and the Groove MIDI Dataset (CC BY 4.0), with FluidR3 GM and MuseScore "
    "General (MIT) and five Hydrogen drum kits (CC0, CC BY, CC BY-SA, GPL with an exception for compositions), sung by "
    "speech from LibriSpeech, VCTK and Arabic Speech Commands (CC BY 4.0), EmoDB (CC0), LJ Speech (public domain), "
    "speechocean762 (free for any use), FSDD (CC BY-SA 4.0) and espeak-ng. See docs/training-log.md."
)
WORDS = (
    "Trained by the unbraid authors on the CMU Pronouncing Dictionary (Carnegie Mellon University, 2-clause BSD), "
    "without stress; for English words one by one, not for what a sentence does to them. See docs/training-log.md."
)
NOISY = SPEECH.replace("on mixtures of", "on speech of").replace("and noises", "under noises")
CROPS = SPEECH.replace("on mixtures of", "on recordings of").replace("and noises", "under noises")
DIGITS = (
    "Trained by the unbraid authors on the Free Spoken Digit Dataset (six speakers, CC BY-SA 4.0) and on strings of "
    "digits that `unbraid data speak --digits` had espeak-ng and flite say in some 290 voices; before, its encoder "
    "learnt phonemes of LibriSpeech (CC BY 4.0) and speechocean762 (free for any use). It knows the ten English digits "
    "and nothing else, and is no dictation engine: for that pull facebook/wav2vec2-base-960h or "
    "facebook/hubert-large-ls960-ft. See docs/training-log.md."
)
KINDS = {
    "speech": (SPEECH, LICENCE),
    "music": (MUSIC, LICENCE),
    "g2p": (WORDS, "MIT"),
    "denoise": (NOISY, LICENCE),
    "voice": (CROPS, LICENCE),
    "digits": (DIGITS, LICENCE),
}


def package(run: Path) -> None:
    """Export one model over the one that is there."""
    destination = MODELS / run.name
    kind = run.name.split("-")[0]
    provenance, licence = KINDS[kind]
    with appearing(destination) as fresh:
        spec = export_checkpoint(
            _one_of(run, "best.pt", "checkpoint.pt"),
            fresh,
            name=run.name,
            dtype="float16",
            licence=licence,
            provenance=provenance,
            scores=music_scores(run) if kind == "music" else json.loads((run / "scores.json").read_text()),
        )
        with (fresh / "README.md").open("a", encoding="utf-8") as card:
            card.write(training_of(run))
    if spec.geometry.has_int8:
        with appearing(GRAPHS / graph_name(spec.geometry, "int8")) as graph:
            graph.write_bytes(packed(build_graph(spec.geometry, "int8")))
    print(f"{destination}: {sum(f.stat().st_size for f in destination.iterdir()) / 1e6:.1f} MB")


def training_of(run: Path) -> str:
    """The card's account of a run: recipe, changes to it, curve, and what was noted by hand."""
    recipe = RECIPES / f"{run.name}.toml"
    now, record = read_recipe(recipe).values(), run / "recipe.json"
    then = json.loads(record.read_text()) if record.is_file() else {}
    changed = [
        f"{key}={_shown(value)}"
        for key, value in then.items()
        if key in now and now[key] != value and key not in UNTOLD
    ]
    rows = list(csv.DictReader(_one_of(run, "log.csv", "curve.csv").open()))
    score = next(name for name in rows[0] if name.startswith("dev_"))
    scored = [row for row in rows if row[score]]
    picked = scored[:: max(1, len(scored) // CURVE_ROWS)]
    picked += [] if picked[-1] is scored[-1] else scored[-1:]
    curve = [f"| {row['step']} | {float(row['train_loss']):.3g} | {float(row[score]):.2f} |" for row in picked]
    told = [f"The recipe is `recipes/{recipe.name}`{' with ' if changed else ''}{', '.join(changed)}."]
    head = ["| step | training loss | dev score |", "|--:|--:|--:|"]
    notes = CARDS / f"{run.name}.md"
    added = ["", notes.read_text(encoding="utf-8").strip()] if notes.is_file() else []
    return "\n".join(["", "## Training", "", *told, "", *head, *curve, *added]) + "\n"


def _one_of(run: Path, *names: str) -> Path:
    """The file that is there: a run's, or a campaign's."""
    return next(path for path in map(run.joinpath, names) if path.is_file())


def _shown(value: object) -> str:
    """A value of a recipe, paths by their last name."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return Path(value).name if isinstance(value, str) else str(value)


def music_scores(run: Path) -> dict[str, float]:
    """Mean uSDR and improvement of each stem over the songs of each evaluation."""
    scores = {}
    for path in sorted(run.glob("scores/*/summary.json")):
        for score in json.loads(path.read_text())["scores"]:
            if score["metric"] == "uSDR" and score["improvement"]["n"]:
                what = f"{score['stem']}, {path.parent.name} songs of test"
                scores[f"uSDR dB, {what}"] = round(score["estimate"]["mean"], 2)
                scores[f"uSDR improvement dB, {what}"] = round(score["improvement"]["mean"], 2)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    for run in parser.parse_args().runs:
        package(run)


if __name__ == "__main__":
    main()
