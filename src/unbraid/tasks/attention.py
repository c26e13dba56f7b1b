"""Attention maps: the attention weights of an audio Transformer over one text or one excerpt of audio.

    seen = attention_maps("g2p", "cats")
    seen.maps[0].heads                  # (H, M, N): the weight of column n in row m; each row sums to 1
    seen.maps[0].rows.labels            # the steps of the rows: ("c", "a", "t", "s", "<end>")

There are three kinds (arXiv 1706.03762, section 3.2.3): self-attention of the encoder over the source, masked
self-attention of the decoder over the target so far, and cross-attention of the decoder to the encoder. A row of the
decoder stands for its output at that step. A Whisper shows the last kind only: its windows are too long for the others.
The whole network runs once more for this, on a graph that returns the
weights.
"""

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, Reader, Source, is_array, resample
from unbraid.audio.arrays import as_audio, check_rate_given, checked_rate, excerpt_of
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import downmixed
from unbraid.dsp.mel import mel_levels
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import UsageError
from unbraid.hub.names import entries
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.hub.vocabulary import BEGIN, END, Vocabulary
from unbraid.models.audio_transformer.config import (
    ATTENTION,
    AudioTransformerConfig,
    SpectrogramSide,
    TextSide,
    as_audio_transformer,
    samples_in_step,
)
from unbraid.models.audio_transformer.padding import steps_in
from unbraid.runtime import Engine
from unbraid.tasks.decoding.acoustic_model import AcousticModel
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.state import Array, as_item, batch
from unbraid.tasks.decoding.symbols import numbers_of
from unbraid.tasks.loading import Loaded, ModelFolder, find_model
from unbraid.tasks.transcription.transcript import SPACE
from unbraid.tasks.transcription.whisper.cross_attention import cross_attention

Kind = Literal["encoder", "decoder", "cross"]
MOST_SECONDS = 30.0
MOST_WRITTEN = 500  # steps of a target that the model does not end
MOST_WEIGHTS = 1e8  # 0.4 GB, and as much again in the runtime
SHOWN_BINS, SHOWN_FRAMES = 64, 100  # of spectrograms of waveforms: bands, and frames a second


@dataclass(frozen=True)
class Axis:
    """The steps of rows or columns: symbols, or frames of audio."""

    steps: int
    labels: tuple[str, ...] = ()  # of text: one for each step
    levels: FloatArray | None = None  # of audio: log-mel (frames, F), evenly over the steps
    seconds: float = 0.0  # of audio: duration of all steps
    start: float = 0.0  # of audio: start of the first step in the file, in seconds


@dataclass(frozen=True)
class AttentionMap:
    """The attention weights of one layer."""

    kind: Kind
    layer: int  # 1 is the first
    heads: FloatArray  # (H, M, N)
    rows: Axis  # M, queries
    columns: Axis  # N, keys


@dataclass(frozen=True)
class AttentionMaps:
    """The attention weights of all layers of a model, over one item."""

    model: str
    maps: tuple[AttentionMap, ...]
    target: Axis | None = None  # the decoder's output, or the given target, end included
    is_given: bool = False  # whether the target was given
    is_cut: bool = False  # whether only the first part of the file is shown
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`


def attention_maps(
    model: str | Path,
    source: Source | ArrayLike,
    *,
    target: str | None = None,
    excerpt: Excerpt = Excerpt(),
    device: str = "auto",
    threads: int | None = None,
    sample_rate: int | None = None,
) -> AttentionMaps:
    """The attention weights of all layers of a model for a source, and for its target if the model has a decoder.

    `source` is a text for models that read text, else an audio file, or an array (C, T) with its `sample_rate` in Hz,
    of which an excerpt of at most 30 seconds is read. The target is the given text, or by default the result of greedy
    decoding.

    Raises:
        AudioError: the file cannot be read.
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: the device is not there.
        UsageError: the model is not an audio Transformer or lacks the graph, a text has symbols that are not in its
            vocabulary, or the maps are too large.
    """
    folder = find_model(model, lambda spec: _geometry(spec, device), Engine(device, threads=threads))
    spec, geometry = folder.spec, _geometry(folder.spec, device)
    if (seconds := excerpt.duration) is not None and seconds > MOST_SECONDS:
        raise UsageError(f"At most {MOST_SECONDS:g} s can be shown, not {seconds:g}; choose a smaller --duration.")
    if target is not None and not isinstance(geometry.target, TextSide):
        raise UsageError(f"{spec.name} writes no text, so there is no target to be given; leave it out.")
    notices: tuple[str, ...] = ()
    if geometry.reads == "text":
        item, columns, is_cut = _text(spec, source)
    else:
        cut = dataclasses.replace(excerpt, duration=seconds or MOST_SECONDS + 0.1)
        sound, rate, notices = _excerpt(source, cut, sample_rate)
        if spec.tokens:
            return _of_whisper(folder, sound, rate, excerpt.start, target, notices)
        item, columns, is_cut = _sound(spec, sound, rate, excerpt.start)
    _check_size(geometry, columns.steps)
    inputs = batch([item], geometry.source)
    if geometry.is_aligned:
        return AttentionMaps(spec.name, _maps(_weights(folder, inputs), columns), is_cut=is_cut, notices=notices)
    shown = _decoded(folder, geometry, item) if target is None else _given(spec, target)
    _check_size(geometry, columns.steps, len(shown) - 1)
    rows, before = (_target_axis(spec, part) for part in (shown[1:], shown[:-1]))
    maps = _maps(_weights(folder, {**inputs, "target": shown[None, :-1]}), columns, rows, before)
    return AttentionMaps(spec.name, maps, rows, target is not None, is_cut, notices)


def _geometry(spec: ModelSpec, device: str) -> AudioTransformerConfig:
    """The sizes of an audio Transformer whose folder has the graph of its attention."""
    if spec.family != "audio_transformer":
        others = ", ".join(entry.name for entry in entries() if entry.family == "audio_transformer")
        raise UsageError(
            f"{spec.name} is a {spec.family}, whose attention cannot be shown; of the models here, {others} can."
        )
    if f"{ATTENTION}.onnx" not in spec.files and not spec.tokens and device != "torch":
        raise UsageError(
            f"The folder of {spec.name} is of an older unbraid and has no {ATTENTION}.onnx; export its checkpoint "
            "again (`unbraid export`), or use --device torch where PyTorch is installed."
        )
    return as_audio_transformer(spec.geometry)


def _weights(folder: ModelFolder, inputs: dict[str, Array]) -> dict[str, Array]:
    """Run the graph of the attention weights; returns its outputs by name."""
    (executor,) = folder.open(ATTENTION)
    with closing(executor):
        return executor.run(inputs)


def _check_size(geometry: AudioTransformerConfig, source: int, target: int = 0) -> None:
    """Refuse maps that would not fit into memory."""
    weights = geometry.encoder_layers * source**2 + geometry.decoder_layers * (target + source) * target
    if geometry.heads * weights > MOST_WEIGHTS:
        raise UsageError(
            f"{source} steps that are read and {target} that are written have too many weights to show; take a shorter "
            "text, or fewer seconds with --duration."
        )


def _text(spec: ModelSpec, source: Source | ArrayLike) -> tuple[Array, Axis, bool]:
    """A text as symbols, end included, and its axis; it is never cut."""
    assert spec.vocabularies is not None
    if not isinstance(source, str):
        raise UsageError(f"{spec.name} reads text; give it as a string, not as {type(source).__name__}.")
    numbers = [*numbers_of(source, Vocabulary(spec.vocabularies.source), f"{spec.name} cannot read"), END]
    if len(numbers) == 1:
        raise UsageError(f"There is nothing to read; give {spec.name} a text.")
    return np.array(numbers), Axis(len(numbers), _labels(spec.vocabularies.source, numbers)), False


def _labels(symbols: tuple[str, ...], numbers: list[int]) -> tuple[str, ...]:
    return tuple("␣" if symbols[number] == SPACE else symbols[number] for number in numbers)


def _excerpt(
    source: Source | ArrayLike, cut: Excerpt, sample_rate: int | None
) -> tuple[FloatArray, int, tuple[str, ...]]:
    """An excerpt of a recording (C, T), its sample rate, and warnings about its file."""
    check_rate_given("attention_maps", source, sample_rate)
    if not is_array(source):
        with Reader(source, cut) as reader:
            return reader.read(), reader.info.sample_rate, reader.notices
    rate = checked_rate(sample_rate or 0)
    return excerpt_of(as_audio(source), rate, cut.start, cut.duration or MOST_SECONDS), rate, ()


def _of_whisper(
    folder: ModelFolder, audio: Array, rate: int, start: float, target: str | None, notices: tuple[str, ...]
) -> AttentionMaps:
    """The cross-attention of a Whisper to an excerpt (C, T), the first window of it."""
    spec = folder.spec
    samples, is_cut = _samples(spec, audio, rate)
    labels, weights = cross_attention(folder, samples, target)
    hop = max(1, spec.sample_rate // SHOWN_FRAMES)
    levels = mel_levels(samples, Mel(3 * hop, hop, SHOWN_BINS), spec.sample_rate)
    step = samples_in_step(as_audio_transformer(spec.geometry).source, spec.mel)
    columns = Axis(-(-len(samples) // step), levels=levels, seconds=len(samples) / spec.sample_rate, start=start)
    rows = Axis(len(labels), labels)
    maps = _maps({"cross_attention": weights[..., : columns.steps]}, columns, rows, rows)
    return AttentionMaps(spec.name, maps, rows, target is not None, is_cut, notices)


def _samples(spec: ModelSpec, audio: Array, rate: int) -> tuple[FloatArray, bool]:
    """An excerpt (C, T) as samples (T,) at the model's rate, and whether they are only the first part of it."""
    audio = np.concatenate(list(without_rumble(iter([downmixed(audio, rate)]), rate)), axis=-1)  # (1, T)
    most = round(MOST_SECONDS * rate)
    return resample(audio[:, :most], rate, spec.sample_rate)[0], audio.shape[1] > most


def _sound(spec: ModelSpec, audio: Array, rate: int, start: float) -> tuple[Array, Axis, bool]:
    """The model's input for an excerpt (C, T), its axis, and whether it is only the first part of the excerpt."""
    side = as_audio_transformer(spec.geometry).source
    samples, is_cut = _samples(spec, audio, rate)
    samples = np.pad(samples, (0, -len(samples) % samples_in_step(side, spec.mel)))
    hop = max(1, spec.sample_rate // SHOWN_FRAMES)
    mel = spec.mel if isinstance(side, SpectrogramSide) else Mel(3 * hop, hop, SHOWN_BINS)
    assert mel is not None and not isinstance(side, TextSide)
    is_read = isinstance(side, SpectrogramSide) and spec.geometry.writes == "text"
    levels = mel_levels(samples, mel, spec.sample_rate, without_noise=is_read)  # as in `DecoderRecognizer`
    seconds = len(samples) / spec.sample_rate
    item = as_item(0, levels if isinstance(side, SpectrogramSide) else samples, side)  # (N·stride, F) or (N·stride,)
    axis = Axis(steps_in(side, len(item)), levels=levels, seconds=seconds, start=start)
    return item, axis, is_cut


def _given(spec: ModelSpec, target: str) -> Array:
    """A given target: begin, text, end."""
    assert spec.vocabularies is not None
    numbers = numbers_of(target, Vocabulary(spec.vocabularies.target), f"{spec.name} cannot write")
    return np.array([BEGIN, *numbers, END])


def _decoded(folder: ModelFolder, geometry: AudioTransformerConfig, item: Array) -> Array:
    """The target by greedy decoding, begin included: symbols (M + 1,) or frames (M + 1, r·F)."""
    loaded = Loaded(folder.spec, folder.open(*geometry.graphs))
    if isinstance(geometry.target, TextSide):
        with Generator(loaded) as generator:
            ((text,),) = generator.generate([item], most_symbols=MOST_WRITTEN)
        return np.array([BEGIN, *text.symbols, END])
    with AcousticModel(loaded) as acoustic_model:
        ((frames, _),) = acoustic_model.write([item], [MOST_WRITTEN])
    return np.concatenate((np.zeros_like(frames[:1]), frames))


def _target_axis(spec: ModelSpec, shown: Array) -> Axis:
    """The axis of a target: symbols (M,) or frames (M, r·F)."""
    if shown.ndim == 1:
        assert spec.vocabularies is not None
        return Axis(len(shown), _labels(spec.vocabularies.target, shown.tolist()))
    assert spec.mel is not None
    levels = shown.reshape(-1, spec.mel.bins)
    return Axis(len(shown), levels=levels, seconds=len(levels) * spec.mel.hop_samples / spec.sample_rate)


def _maps(
    found: dict[str, Array], source: Axis, rows: Axis | None = None, before: Axis | None = None
) -> tuple[AttentionMap, ...]:
    """The layers of the encoder, and of a decoder with outputs `rows` for inputs `before`."""
    kinds: list[tuple[Kind, Axis, Axis]] = [("encoder", source, source)]
    if rows and before:
        kinds += [("decoder", rows, before), ("cross", rows, source)]
    return tuple(
        AttentionMap(kind, layer, heads, own, others)
        for kind, own, others in kinds
        if f"{kind}_attention" in found
        for layer, heads in enumerate(found[f"{kind}_attention"], 1)
    )
