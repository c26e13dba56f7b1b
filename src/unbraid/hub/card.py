"""The model card: README.md of a model folder, written from its spec."""

from unbraid.hub.spec import ModelSpec


def model_card(spec: ModelSpec) -> str:
    """Markdown that says what a model is, where it comes from, under which licence, and how good it is."""
    what, command = _purpose(spec)
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


def _purpose(spec: ModelSpec) -> tuple[str, str]:
    """What a model does, and a command that shows it."""
    reads, writes = spec.geometry.reads, spec.geometry.writes
    if spec.latency_seconds is not None:
        return (
            f"{', '.join(spec.stems)} from a mixture as it is heard, {1000 * spec.latency_seconds:g} ms late, "
            f"at {spec.sample_rate} Hz.",
            f"live -m {spec.name}",
        )
    if writes == "stems":
        return (
            f"{', '.join(spec.stems)} from a mixture, at {spec.sample_rate} Hz.",
            f"separate mixture.wav -m {spec.name}",
        )
    if spec.task == "phonemes":
        return "Writes one text for another, symbol by symbol.", f"phonemize words -m {spec.name}"
    if spec.task == "transcription":
        heard = "the text of audio" if "decoder" in spec.geometry.graphs else "what is said,"
        return f"Writes {heard} at {spec.sample_rate} Hz.", f"transcribe speech.wav -m {spec.name}"
    if spec.task == "speaker embedding":
        return (
            f"Tells speakers apart by embeddings of speech at {spec.sample_rate} Hz.",
            f"evaluate {spec.name} DATASET",
        )
    if spec.task == "notes":
        return f"Hears the notes of audio at {spec.sample_rate} Hz.", f"notes song.mp3 -m {spec.name} -o song.mid"
    if spec.task == "voice conversion":
        return (
            f"Converts speech to another voice, at {spec.sample_rate} Hz.",
            f"convert talk.wav -m {spec.name} --voice somebody.wav",
        )
    what = f"Makes a {writes} of a {reads}, at {spec.sample_rate} Hz."
    if spec.task == "enhancement":
        return what, f"enhance noisy.wav -m {spec.name}"
    if spec.family == "hifigan":
        return what, f'synthesize "Good morning." -m VOICE --vocoder {spec.name}'
    if spec.family == "speecht5":
        return what, f'synthesize "Good morning." -m {spec.name} --voice somebody.wav'
    return what, f"evaluate {spec.name} DATASET"
