"""The torch modules of the audio Transformer."""

from torch import Tensor

from unbraid.models.audio_transformer.config import ATTENTION, TextSide, WaveSide, source_name
from unbraid.models.audio_transformer.network.attention_maps import attention_maps
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.models.audio_transformer.network.prompted import prompted_step

build = AudioTransformer


def outputs(module: AudioTransformer, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of the graph of that name, by name."""
    if part == "post":
        return {"refined": module.back.refine(inputs["log_mel"])}
    if part == "decoder":
        return prompted_step(module, inputs) if module.geometry.takes_prompts else _step(module, inputs)
    source, lengths = inputs[source_name(module.geometry.source)], inputs["lengths"]
    if part == ATTENTION:
        maps = attention_maps(module, source, lengths, inputs.get("target"))
        return {name: weights[:, 0] for name, weights in maps.items()}  # (L, H, M, N): it is one item
    if part == "model":
        name = "waveform_out" if isinstance(module.geometry.target, WaveSide) else "log_mel_out"
        return {name: module.convert(source, lengths)}
    memory = module.encode(source, lengths)
    keys, values = module.cross_keys_values(memory)
    cross = {"cross_keys": keys, "cross_values": values}
    return cross | ({"ctc_logits": module.ctc(memory)} if module.geometry.ctc else {})


def _step(module: AudioTransformer, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    past, memory = ((inputs[f"{kind}_keys"], inputs[f"{kind}_values"]) for kind in ("self", "cross"))
    written = inputs["symbols" if isinstance(module.geometry.target, TextSide) else "frames"]
    follows, (keys, values) = module.step(written, past, memory, inputs["lengths"])
    named = {"logits": follows} if isinstance(follows, Tensor) else {"new_frames": follows[0], "stop": follows[1]}
    return {**named, "new_self_keys": keys, "new_self_values": values}
