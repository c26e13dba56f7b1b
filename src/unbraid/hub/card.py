"""The model card: README.md of a model folder, written from its spec."""

from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.wav2vec2.config import Wav2Vec2Config


def model_card(spec: ModelSpec) -> str:
    """The model card as Markdown: network, provenance, licence and scores."""
    if isinstance(spec.geometry, AudioTransformerConfig):
        what, command = _transformer(spec, spec.geometry)
    elif isinstance(spec.geometry, Wav2Vec2Config):
        what, command = f"Writes what is said, at {spec.sample_rate} Hz.", f"transcribe speech.wav -m {spec.name}"
    else:
        what = f"{', '.join(spec.stems)} from a mixture, at {spec.sample_rate} Hz."
        command = f"separate mixture.wav -m {spec.name}"
    lines = [
        f"# {spec.name}",
        "",
        what,
        "",
        f"- **Network:** {spec.family}, {spec.geometry}".replace("Config(", " ("),
        f"- **Weights:** {spec.provenance}",
        f"- **Licence:** {spec.licence}",
        "",
        f"    unbraid {command}",
    ]
    if spec.scores:
        lines += ["", "| score | value |", "|---|---|"]
        lines += [f"| {name} | {value:g} |" for name, value in spec.scores.items()]
    return "\n".join(lines) + "\n"


def _transformer(spec: ModelSpec, geometry: AudioTransformerConfig) -> tuple[str, str]:
    """The task of an audio Transformer in a sentence, and a command for it."""
    sides = (geometry.source.kind, geometry.target.kind)
    if sides == ("text", "text"):
        return "Writes one text for another, symbol by symbol.", f"phonemize words -m {spec.name}"
    if geometry.target.kind == "text":
        return f"Writes the text of audio at {spec.sample_rate} Hz.", f"transcribe speech.wav -m {spec.name}"
    what = f"Makes a {geometry.target.kind} of a {geometry.source.kind}, at {spec.sample_rate} Hz."
    if sides == ("waveform", "waveform"):
        return what, f"enhance noisy.wav -m {spec.name}"
    return what, f"evaluate {spec.name} DATASET"
