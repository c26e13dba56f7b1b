"""`unbraid models recommend`: the time, memory, scores and licence of each model for a recording on this machine."""

from pathlib import Path
from typing import Any

from unbraid.audio import Reader
from unbraid.cli.progress import clock
from unbraid.hub import names as hub
from unbraid.hub.catalogue import licence_line
from unbraid.tasks.separation.content import content_of_file
from unbraid.tasks.separation.cost import Estimate, candidates, estimates

COMPARED = (
    "Times are estimated from a second of work just now. Scores of different metrics or test data do not compare."
)

_GAINS = ("improvement", "SDRi", "SNRi")  # in the names of scores


def facts_for(file: Path, threads: int | None) -> dict[str, Any]:
    """The length of the recording, and each model for what it sounds like, the fastest first, as JSON values.

    Raises:
        AudioError: it cannot be read.
    """
    with Reader(file) as reader:
        info = reader.info
        frames = reader.frames if reader.frames is not None else sum(block.shape[1] for block in reader.blocks())
    seconds, kind = frames / info.sample_rate, content_of_file(file).kind
    found = estimates(candidates(hub.entries(), is_music=kind == "music"), seconds, info.channels, threads)
    models = [_model(one) for one in found]
    return {"seconds": seconds, "channels": info.channels, "sounds_like": kind, "models": models}


def lines_for(facts: dict[str, Any]) -> list[str]:
    """The same for people: a paragraph for each model."""
    sounds = f"sounds like {facts['sounds_like']}" if facts["sounds_like"] else "is neither clearly speech nor music"
    lines = [f"{facts['input']}, {clock(round(facts['seconds']))}, {sounds}"]
    for model in facts["models"]:
        where = "" if model["here"] else f"  [unbraid models pull {model['name']}]"
        memory = f", {model['megabytes']} MB of memory" if model["megabytes"] else ""
        lines += [f"{model['name']}{where}", f"    {_time(model['minutes'])}{memory}, {', '.join(model['stems'])}"]
        lines += [f"    {score}" for score in model["scores"]] or ["    no score is stated"]
        lines.append(f"    {model['licence']}")
    return [*lines, COMPARED]


def _model(found: Estimate) -> dict[str, Any]:
    model = found.model
    gains = {what: value for what, value in model.scores.items() if any(word in what for word in _GAINS)}
    shown = list((gains or model.scores).items())[:2]
    return {
        "name": model.name,
        "here": model.folder is not None,
        "stems": list(model.stems),
        "minutes": round(found.seconds / 60, 2),
        "megabytes": found.megabytes,
        "is_measured": found.is_measured,
        "scores": [f"{value:g} {what}" for what, value in shown],
        "licence": licence_line(model.name, model.licence),
        "use": model.use,
    }


def _time(minutes: float) -> str:
    if minutes < 1:
        return f"about {max(1, round(60 * minutes))} s"
    return "about 1 minute" if minutes < 1.5 else f"about {minutes:.0f} minutes"
