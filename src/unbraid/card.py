"""The model card: README.md of a model folder, written from its spec."""

from unbraid.geometry import AudioTransformerGeometry
from unbraid.spec import ModelSpec


def model_card(spec: ModelSpec) -> str:
    """Markdown that says what a model is, where it comes from, under which licence, and how good it is."""
    if isinstance(spec.geometry, AudioTransformerGeometry):
        what, command = "Writes one text for another, symbol by symbol.", f"phonemize words -m {spec.name}"
    else:
        what = f"{', '.join(spec.stems)} from a mixture, at {spec.sample_rate} Hz."
        command = f"separate mixture.wav -m {spec.name}"
    lines = [
        f"# {spec.name}",
        "",
        what,
        "",
        f"- **Network:** {spec.family}, {spec.geometry}".replace("Geometry(", " ("),
        f"- **Weights:** {spec.provenance}",
        f"- **Licence:** {spec.licence}",
        "",
        f"    unbraid {command}",
    ]
    if spec.scores:
        lines += ["", "| score | value |", "|---|---|"]
        lines += [f"| {name} | {value:g} |" for name, value in spec.scores.items()]
    return "\n".join(lines) + "\n"
