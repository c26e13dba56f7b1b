"""SpeechT5 folders as `transformers` publishes them, read without transformers or torch.

A published model (`microsoft/speecht5_tts`, `speecht5_vc` and `speecht5_asr` on the Hugging Face hub) is config.json
(sizes), spm_char.model (symbols, see `sentencepiece`; not of a network that converts voices), preprocessor_config.json
(waveform and spectrogram; it may be absent) and the weights, as safetensors or by torch.save. Names and shapes of the
tensors are checked both ways (`speecht5_names`). Four things change form: q, k and v become one projection, the batch
norms of the post-net become part of their convolutions, the weight norm of the long convolution over steps is worked
out, and the rows of the embedding get the order of our vocabulary.
Source: the files that transformers 4.27 to 5.24 write, and its models/speecht5.
"""

from pathlib import Path

import numpy as np

from unbraid.dsp.framing import Mel
from unbraid.errors import ModelError, quoted, shortened
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, normed
from unbraid.hub.importers.sentencepiece import read_characters
from unbraid.hub.importers.settings import Rules, Settings, read_json, states_model_type
from unbraid.hub.importers.speecht5_names import IGNORED, POST, TIED, published_names, published_shapes
from unbraid.hub.importers.wav2vec2 import NORMS, POSITION, SETTINGS, SOUND, WEIGHT_NORMS, WEIGHTS, read_tensors
from unbraid.hub.spec import ModelSpec, Vocabularies, Windows
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import BATCH_NORM_EPS
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.tensors import compare_shapes, shapes_of

SYMBOLS = "spm_char.model"
FILES = f"{SETTINGS}, {SYMBOLS} and {' or '.join(WEIGHTS)}"
SPEAKS, CONVERTS, WRITES = "SpeechT5ForTextToSpeech", "SpeechT5ForSpeechToSpeech", "SpeechT5ForSpeechToText"
WINDOWS = {CONVERTS: Windows(10.0, 0.0), WRITES: Windows(20.0, 0.0)}  # about the longest texts of their training
RATE, FRAME, HOP = 16000, 1024, 256
RULES: Rules = {  # setting: (the peer's default, what our network has)
    "hidden_act": ("gelu", "gelu"),
    "feat_extract_activation": ("gelu", "gelu"),
    "scale_embedding": (False, False),
    "tie_word_embeddings": (True, True),
    "speech_decoder_prenet_layers": (2, 2),
    "speech_decoder_prenet_dropout": (0.5, 0.5),
    "bos_token_id": (0, 0),
    "pad_token_id": (1, 1),
    "eos_token_id": (2, 2),
}
SOUND_RULES: Rules = {
    "sampling_rate": (RATE, RATE),
    "win_length": (64, 64),  # ms
    "hop_length": (16, 16),
    "win_function": ("hann_window", "hann_window"),
    "fmin": (80, 80),
    "fmax": (7600, 7600),
    "mel_floor": (1e-10, 1e-10),
}
SPECIAL_ROWS = (1, 0, 2, 3)  # of the published embedding: padding, the start and the end of a text, unknown symbols


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder's config.json says that it is a SpeechT5."""
    return states_model_type(folder / SETTINGS, "speecht5")


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a SpeechT5 folder.

    Raises:
        ModelError: a file is missing or damaged, it is another network, or a tensor does not fit.
    """
    settings = read_json(folder / SETTINGS)
    kind = _kind(settings, folder)
    settings.require(RULES)
    sound = settings.within(None)  # whose settings are all absent
    if (folder / SOUND).is_file():
        sound = read_json(folder / SOUND)
        sound.require(SOUND_RULES)
    weights = next((folder / file for file in WEIGHTS if (folder / file).is_file()), None)
    lacks_symbols = kind != CONVERTS and not (folder / SYMBOLS).is_file()
    if lacks_symbols or weights is None:
        missing = SYMBOLS if lacks_symbols else WEIGHTS[0]
        raise ModelError(f"{folder} has no {missing}; a SpeechT5 is {FILES}.")
    geometry = _config(settings, sound, kind)
    published = {k: v for k, v in read_tensors(weights).items() if not k.endswith(IGNORED)}
    symbols = () if kind == CONVERTS else _symbols(folder / SYMBOLS, geometry.symbols)
    spec = ModelSpec(
        name=name,
        family="speecht5",
        sample_rate=RATE,
        channels=1,
        stems=(),
        geometry=geometry,
        licence="MIT" if name.startswith("microsoft/") else "as stated by its publisher",
        provenance=f"A SpeechT5 published for transformers, imported from {name if '/' in name else folder.name}.",
        windows=WINDOWS.get(kind),
        vocabularies=_vocabularies(symbols, kind, folder / SYMBOLS),
        mel=None if kind == WRITES else Mel(FRAME, HOP, geometry.bins, form="speecht5"),
    )
    return Checkpoint(_renamed(published, geometry, weights), spec)


def _kind(settings: Settings, folder: Path) -> str:
    """SPEAKS, CONVERTS or WRITES."""
    trained = settings.get("architectures", [SPEAKS])
    kinds = (SPEAKS, CONVERTS, WRITES)
    if isinstance(trained, list) and (found := [kind for kind in kinds if kind in trained]):
        return found[0]
    what = shortened(str(trained[0])) if isinstance(trained, list) and trained else quoted(trained)
    raise ModelError(f"{folder} is a {what}; of SpeechT5, only {', '.join(kinds)} can be imported.")


def _config(settings: Settings, sound: Settings, kind: str) -> SpeechT5Config:
    """The sizes that config.json gives; of what this kind of network has not, the defaults."""
    sizes = {
        what: tuple(settings.positive(f"{part}_{what}", default) for part in ("encoder", "decoder"))
        for what, default in (("attention_heads", 12), ("ffn_dim", 3072))
    }
    for what, (first, second) in sizes.items():
        if first != second:
            raise ModelError(
                f"{settings.path}: encoder and decoder have {first} and {second} {what}; in a network that can be "
                "imported they are the same."
            )
    own, norm = SpeechT5Config(), settings.get("feat_extract_norm", "group")
    if norm not in NORMS:
        raise settings.misfit("feat_extract_norm", norm, " or ".join(NORMS))
    texts, spectra, waves = (
        settings.within({} if kind == without else settings.section) for without in (CONVERTS, WRITES, SPEAKS)
    )
    try:
        return SpeechT5Config(
            symbols=texts.positive("vocab_size", own.symbols),
            features=settings.positive("hidden_size", own.features),
            heads=sizes["attention_heads"][0],
            hidden=sizes["ffn_dim"][0],
            encoder_layers=settings.positive("encoder_layers", own.encoder_layers),
            decoder_layers=settings.positive("decoder_layers", own.decoder_layers),
            relative_steps=settings.positive("encoder_max_relative_position", own.relative_steps),
            bins=spectra.positive("num_mel_bins", own.bins),
            stride=spectra.positive("reduction_factor", own.stride),
            prenet=spectra.positive("speech_decoder_prenet_units", own.prenet),
            speaker=spectra.positive("speaker_embedding_dim", own.speaker),
            post_layers=spectra.positive("speech_decoder_postnet_layers", own.post_layers),
            post_width=spectra.positive("speech_decoder_postnet_units", own.post_width),
            post_kernel=spectra.positive("speech_decoder_postnet_kernel", own.post_kernel),
            norm_eps=settings.get("layer_norm_eps", own.norm_eps),
            source="text" if kind == SPEAKS else "waveform",
            target="text" if kind == WRITES else "spectrogram",
            filters=waves.positives("conv_dim", own.filters),
            kernels=waves.positives("conv_kernel", own.kernels),
            strides=waves.positives("conv_stride", own.strides),
            filter_bias=waves.flag("conv_bias", own.filter_bias),
            filter_norm=own.filter_norm if kind == SPEAKS or norm == "group" else "layer",
            position_kernel=waves.positive("num_conv_pos_embeddings", own.position_kernel),
            position_groups=waves.positive("num_conv_pos_embedding_groups", own.position_groups),
            normalized=kind != SPEAKS and sound.flag("do_normalize", own.normalized),
        )
    except ValueError as error:
        raise ModelError(f"{settings.path}: the sizes describe no network: {error}") from None


def _symbols(path: Path, count: int) -> tuple[str, ...]:
    """The symbols in the order of our rows; rows without a piece, of added tokens, are named by their numbers."""
    pieces = read_characters(path)
    texts = list(pieces)
    special = [number for number, is_character in enumerate(pieces.values()) if not is_character]
    if len(texts) > count or special[:4] != [0, 1, 2, 3]:
        raise ModelError(
            f"{path} has {len(texts)} pieces, of which the special ones are the numbers "
            f"{', '.join(map(str, special)) or 'none'}; the network has {count} symbols, of which the first four are "
            "special."
        )
    return (*SPECIAL, *texts[4:], *(f"<{number}>" for number in range(len(texts), count)))


def _vocabularies(symbols: tuple[str, ...], kind: str, path: Path) -> Vocabularies | None:
    """The symbols on the side of the text; none of a network without."""
    if kind == CONVERTS:
        return None
    try:
        return Vocabularies(symbols, ()) if kind == SPEAKS else Vocabularies((), symbols)
    except ValueError as error:
        raise ModelError(f"{path} holds no vocabulary: {error}") from None


def _renamed(published: dict[str, np.ndarray], geometry: SpeechT5Config, path: Path) -> dict[str, np.ndarray]:
    """The tensors under our names and in our layouts."""
    norm = next((n for n in WEIGHT_NORMS if any(name.endswith(n[0]) for name in published)), WEIGHT_NORMS[0])
    wanted, found = published_shapes(geometry, norm), shapes_of(published)
    if geometry.target == "text" and TIED in found:  # the program of its publishers reads the other copy, too
        wanted[TIED] = (geometry.symbols, geometry.features)
    compare_shapes(found, wanted, str(path))
    tensors = {}
    for ours, shape in tensor_shapes(geometry).items():
        parts = [as_weight(published[name], name, str(path)) for name in published_names(ours, norm)]
        if match := POST.fullmatch(ours):
            tensors[ours] = _folded(*parts)[match[2] == "bias"]
        elif ours == POSITION:
            tensors[ours] = normed(parts[0], parts[1], (0, 1), "the weight norm of the positions", path)
        elif ours in ("front.embedding.weight", "symbols.weight"):
            tensors[ours] = np.concatenate((parts[0][list(SPECIAL_ROWS)], parts[0][len(SPECIAL_ROWS) :]))
        else:
            tensors[ours] = np.concatenate(parts) if len(parts) > 1 else parts[0].reshape(shape)
    return tensors


def _folded(
    kernel: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a convolution without bias and the batch norm behind it."""
    gain = weight.astype(np.float64) / np.sqrt(np.maximum(variance, 0).astype(np.float64) + BATCH_NORM_EPS)
    folded = kernel * gain[:, None, None], bias - mean * gain
    return np.ascontiguousarray(folded[0], np.float32), folded[1].astype(np.float32)
