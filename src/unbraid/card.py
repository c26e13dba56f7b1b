"""The model card: README.md of a model folder, written from its spec."""

from unbraid.spec import ModelSpec


def model_card(spec: ModelSpec) -> str:
    """Markdown that says what a model is, where it comes from, under which licence, and how good it is."""
    lines = [
        f"# {spec.name}",
        "",
        f"{', '.join(spec.stems)} from a mixture, at {spec.sample_rate} Hz.",
        "",
        f"- **Network:** {spec.family}, {spec.geometry}".replace("Geometry(", " ("),
        f"- **Weights:** {spec.provenance}",
        f"- **Licence:** {spec.licence}",
        "",
        "    unbraid separate mixture.wav -m " + spec.name,
    ]
    if spec.scores:
        lines += ["", "| score | value |", "|---|---|"]
        lines += [f"| {name} | {value:g} |" for name, value in spec.scores.items()]
    return "\n".join(lines) + "\n"
