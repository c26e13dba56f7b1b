"""`unbraid models info`: the facts about one model, in a folder or published."""

from pathlib import Path
from typing import Any

from unbraid.hub import names as hub
from unbraid.hub.catalogue import terms_of
from unbraid.hub.spec import read_spec

_USES = {
    "commercial": "allowed by the licence of the weights; no term of the data is known to forbid it",
    "unclear": "unclear: ask the publisher, or a lawyer",
    "non-commercial": "not allowed",
}


def facts_about(name: str) -> dict[str, Any]:
    """The facts about a model by name or folder, as JSON values; those that do not apply are None or empty.

    Raises:
        ModelNotFound: there is none; the message names similar ones.
        SpecError: its spec.json is damaged.
    """
    for entry in hub.entries():
        if entry.name == name and entry.folder is None:
            return {
                "name": name,
                "folder": None,
                "family": entry.family,
                "gives": list(entry.stems) or [entry.writes],
                "sample_rate": entry.sample_rate,
                "bytes": entry.bytes,
                "licence": entry.licence,
                "scores": entry.scores,
                **_terms(name, entry.licence),
            }
    folder = hub.resolve(name)
    spec = read_spec(folder)
    return {
        "name": spec.name,
        "folder": str(folder),
        "task": spec.task,
        "family": spec.family,
        "gives": list(spec.stems) or [spec.geometry.writes],
        "sample_rate": spec.sample_rate or None,
        "channels": spec.channels or None,
        "window_seconds": spec.windows.seconds if spec.windows else None,
        "latency_seconds": spec.latency_seconds,
        "counts_voices": spec.silent_outputs,
        "bytes": _bytes(folder),
        "licence": spec.licence,
        "provenance": spec.provenance,
        "scores": spec.scores,
        **_terms(spec.name, spec.licence),
    }


def _terms(name: str, licence: str) -> dict[str, str]:
    """What is known of the licence and of the training data."""
    terms = terms_of(name, licence)
    return {
        "licence_stated": terms.stated,
        "licence_read": terms.read,
        "licence_note": terms.note,
        "training_data": terms.data,
        "use": terms.use,
    }


def lines_about(facts: dict[str, Any]) -> list[str]:
    """The facts for people, a line for each."""
    here = facts["folder"] or f"not on this machine; `unbraid models pull {facts['name']}` downloads it"
    rows = {
        "where": here,
        "task": facts.get("task"),
        "family": facts["family"],
        "gives": ", ".join(facts["gives"]),
        "sample rate": f"{facts['sample_rate']} Hz" if facts["sample_rate"] else None,
        "channels": facts.get("channels"),
        "window": _seconds(facts.get("window_seconds")),
        "latency": _seconds(facts.get("latency_seconds")),
        "voices": "counted: one track for each person" if facts.get("counts_voices") else None,
        "size": f"{facts['bytes'] / 1e6:.1f} MB",
        "licence": facts["licence"],
        "stated at": ", read on ".join(filter(None, (facts["licence_stated"], facts["licence_read"]))),
        "data": facts["training_data"],
        "commercial use": _USES[facts["use"]],
        "note": facts["licence_note"],
        "weights": facts.get("provenance"),
    }
    shown = {what: value for what, value in rows.items() if value}
    wide = max(map(len, shown))
    scores = [f"{value:g} {what}" for what, value in facts["scores"].items()]
    return [
        facts["name"],
        *(f"  {what:{wide}}  {value}" for what, value in shown.items()),
        *(f"  {'' if at else 'scores':{wide}}  {score}" for at, score in enumerate(scores)),
    ]


def _seconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:g} s"


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
