"""Who attends to whom: the attention weights of an audio Transformer over one text or one piece of audio.

    seen = attention_maps("g2p", "cats")
    seen.maps[0].heads                  # (H, M, N): how much of column n row m takes; each row sums to 1
    seen.maps[0].rows.labels            # what rows stand for: ("c", "a", "t", "s", "<end>")

There are three kinds (arXiv 1706.03762, section 3.2.3). In the encoder each step looks at all steps of the source; in
the decoder at what is written so far; and from the decoder at the encoder, across. A row of the decoder stands for what
the model writes there. The whole network runs once more for this, on a graph that returns the weights.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, Reader, ReadOptions, Source, TrackChoice, check_range, is_array, resample
from unbraid.audio.arrays import as_audio, check_rate_given, checked_rate, excerpt
from unbraid.dsp import FloatArray
from unbraid.dsp.downmix import downmixed
from unbraid.dsp.mel import mel_levels
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import UsageError
from unbraid.files.normalization import normalized
from unbraid.hub.folder import open_model_folder
from unbraid.hub.names import entries, resolve
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.hub.vocabulary import BEGIN, END, SPECIAL, Vocabulary
from unbraid.models.audio_transformer.config import (
    ATTENTION,
    AudioTransformerConfig,
    SpectrogramSide,
    TextSide,
    samples_in_step,
)
from unbraid.models.audio_transformer.padding import steps_in
from unbraid.runtime import Executor, open_executor
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.decoding.state import Array, DecoderState, as_item, batch
from unbraid.tasks.transcription.transcript import SPACE

Kind = Literal["encoder", "decoder", "cross"]
MOST_SECONDS = 30.0
MOST_WRITTEN = 500  # steps of a target that does not end
MOST_WEIGHTS = 1e8  # 0.4 GB, and as much again on the way
_NAMED = 60  # symbols in an error
SHOWN_BINS, SHOWN_FRAMES = 64, 100  # of waveforms' spectrograms: bands, and frames a second


@dataclass(frozen=True)
class Axis:
    """What the rows or the columns of a map stand for: symbols, or a piece of audio."""

    steps: int
    labels: tuple[str, ...] = ()  # of text: one for each step
    levels: FloatArray | None = None  # of audio: log-mel (frames, F), evenly over the steps
    seconds: float = 0.0  # of audio: from the first step to behind the last
    start: float = 0.0  # of audio: where in the file the first step begins, in seconds


@dataclass(frozen=True)
class AttentionMap:
    """One layer."""

    kind: Kind
    layer: int  # 1 is the first
    heads: FloatArray  # (H, M, N)
    rows: Axis  # M, who attends
    columns: Axis  # N, to whom


@dataclass(frozen=True)
class AttentionMaps:
    """All layers of a model, over one item."""

    model: str
    maps: tuple[AttentionMap, ...]
    target: Axis | None = None  # what the decoder wrote or was given, its end included
    is_given: bool = False  # whether it was given
    is_cut: bool = False  # whether the file goes on, but no more of it can be shown
    notices: tuple[str, ...] = ()  # what is odd about the file, as `Reader.notices`


@dataclass(frozen=True)
class _Opened:
    """A model about to run."""

    spec: ModelSpec
    geometry: AudioTransformerConfig
    folder: Path
    device: str
    threads: int | None

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """The weights, by the names of the graph's outputs."""
        executor = self.executor(ATTENTION)
        try:
            return executor.run(inputs)
        finally:
            executor.close()

    def executor(self, graph: str) -> Executor:
        """One of its graphs."""
        return open_executor(self.spec, self.folder, graph=graph, device=self.device, threads=self.threads)


def attention_maps(
    model: str | Path,
    source: Source | ArrayLike,
    *,
    target: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    device: str = "auto",
    threads: int | None = None,
    sample_rate: int | None = None,
) -> AttentionMaps:
    """What each layer of a model attends to while it reads `source` and writes.

    `source` is a text for models that read text, else an audio file, or an array (C, T) with its `sample_rate` in Hz;
    `duration` seconds of it from `start` on are read, at most 30; for `track` and `reading` see `unbraid.separate`. A
    model with a decoder writes greedily, unless a
    `target` is given, the text that it shall have written.

    Raises:
        AudioError: the file cannot be read.
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: the device is not there.
        UsageError: the model has no such attention or no graph for it, a text cannot be read, or there is too much.
    """
    folder = resolve(model)
    spec = open_model_folder(folder)
    if duration is not None and duration > MOST_SECONDS:
        raise UsageError(f"At most {MOST_SECONDS:g} s can be shown, not {duration:g}; choose a smaller --duration.")
    opened = _Opened(spec, _geometry(spec, device), folder, device, threads)
    if target is not None and not isinstance(opened.geometry.target, TextSide):
        raise UsageError(f"{spec.name} writes no text, so there is no target to be given; leave it out.")
    notices: tuple[str, ...] = ()
    if _reads_text(spec):
        item, columns, is_cut = _text(spec, source)
    else:
        cut = Excerpt(start, MOST_SECONDS + 0.1 if duration is None else duration, track, reading)
        sound, rate, notices = _excerpt(source, cut, sample_rate)
        item, columns, is_cut = _sound(spec, sound, rate, start)
    _check_size(opened.geometry, columns.steps)
    inputs = batch([item], opened.geometry.source)
    if opened.geometry.is_aligned:
        return AttentionMaps(spec.name, _maps(opened.run(inputs), columns), is_cut=is_cut, notices=notices)
    shown = _written(opened, item) if target is None else _given(spec, target)
    _check_size(opened.geometry, columns.steps, len(shown) - 1)
    rows, before = (_target_axis(spec, part) for part in (shown[1:], shown[:-1]))
    maps = _maps(opened.run({**inputs, "target": shown[None, :-1]}), columns, rows, before)
    return AttentionMaps(spec.name, maps, rows, target is not None, is_cut, notices)


def _geometry(spec: ModelSpec, device: str) -> AudioTransformerConfig:
    """The sizes of a model whose attention can be shown."""
    if not isinstance(spec.geometry, AudioTransformerConfig):
        others = ", ".join(entry.name for entry in entries() if entry.family == "audio_transformer")
        raise UsageError(
            f"{spec.name} is a {spec.family}, whose attention cannot be shown; of the models here, {others} can."
        )
    if f"{ATTENTION}.onnx" not in spec.files and device != "torch":
        raise UsageError(
            f"The folder of {spec.name} is of an older unbraid and has no {ATTENTION}.onnx; export its checkpoint "
            "again (`unbraid export`), or use --device torch where PyTorch is installed."
        )
    return spec.geometry


def _reads_text(spec: ModelSpec) -> bool:
    return isinstance(spec.geometry, AudioTransformerConfig) and isinstance(spec.geometry.source, TextSide)


def _check_size(geometry: AudioTransformerConfig, source: int, target: int = 0) -> None:
    """Refuse what would not fit into memory."""
    weights = geometry.encoder_layers * source**2 + geometry.decoder_layers * (target + source) * target
    if geometry.heads * weights > MOST_WEIGHTS:
        raise UsageError(
            f"{source} steps that are read and {target} that are written have too many weights to show; take a shorter "
            "text, or fewer seconds with --duration."
        )


def _text(spec: ModelSpec, source: Source | ArrayLike) -> tuple[Array, Axis, bool]:
    """A text as symbols, its end included."""
    assert spec.vocabularies is not None
    if not isinstance(source, str):
        raise UsageError(f"{spec.name} reads text; give it as a string, not as {type(source).__name__}.")
    numbers = [*_numbers(source, Vocabulary(spec.vocabularies.source), f"{spec.name} cannot read"), END]
    if len(numbers) == 1:
        raise UsageError(f"There is nothing to read; give {spec.name} a text.")
    return np.array(numbers), Axis(len(numbers), _labels(spec.vocabularies.source, numbers)), False


def _numbers(text: str, vocabulary: Vocabulary, refused: str) -> list[int]:
    """The symbols of a text: characters, or what blanks keep apart where symbols are longer; in either case."""
    text, ordinary = normalized(text), vocabulary.symbols[len(SPECIAL) :]
    apart = any(len(symbol) > 1 for symbol in ordinary)
    found = [
        next((form for form in (symbol, symbol.lower(), symbol.upper()) if not vocabulary.unknown([form])), symbol)
        for symbol in (text.split() if apart else text.strip())
    ]
    if unknown := vocabulary.unknown(found):
        known = (" " if apart else "").join(ordinary[:_NAMED]) + ("" if len(ordinary) <= _NAMED else " …")
        known += ", parted by blanks" if apart else ""
        raise UsageError(f"{refused} {', '.join(map(repr, unknown[:5]))} in {text!r}; its symbols are {known}.")
    return vocabulary.encode(found)


def _labels(symbols: tuple[str, ...], numbers: list[int]) -> tuple[str, ...]:
    return tuple("␣" if symbols[number] == SPACE else symbols[number] for number in numbers)


def _excerpt(
    source: Source | ArrayLike, cut: Excerpt, sample_rate: int | None
) -> tuple[FloatArray, int, tuple[str, ...]]:
    """A part of a recording (C, T), its sample rate, and what is odd about its file."""
    check_rate_given("attention_maps", source, sample_rate)
    if not is_array(source):
        with Reader(source, start=cut.start, duration=cut.duration, track=cut.track, reading=cut.reading) as reader:
            return reader.read(), reader.info.sample_rate, reader.notices
    check_range(cut.start, cut.duration)
    rate = checked_rate(sample_rate or 0)
    return excerpt(as_audio(source), rate, cut.start, cut.duration or MOST_SECONDS), rate, ()


def _sound(spec: ModelSpec, audio: Array, rate: int, start: float) -> tuple[Array, Axis, bool]:
    """An excerpt (C, T) as the model reads it, and whether there is more of it than can be shown."""
    audio = np.concatenate(list(without_rumble(iter([downmixed(audio, rate)]), rate)), axis=-1)  # (1, T)
    most = round(MOST_SECONDS * rate)
    assert isinstance(spec.geometry, AudioTransformerConfig)
    side = spec.geometry.source
    samples = resample(audio[:, :most], rate, spec.sample_rate)[0]
    samples = np.pad(samples, (0, -len(samples) % samples_in_step(side, spec.mel)))
    mel = spec.mel if isinstance(side, SpectrogramSide) else _shown_mel(spec.sample_rate)
    assert mel is not None and not isinstance(side, TextSide)
    is_read = isinstance(side, SpectrogramSide) and isinstance(spec.geometry.target, TextSide)
    levels = mel_levels(samples, mel, spec.sample_rate, without_noise=is_read)  # as `recognizer` reads them
    seconds = len(samples) / spec.sample_rate
    item = as_item(0, levels if isinstance(side, SpectrogramSide) else samples, side)  # (N·stride, F) or (N·stride,)
    axis = Axis(steps_in(side, len(item)), levels=levels, seconds=seconds, start=start)
    return item, axis, audio.shape[1] > most


def _shown_mel(sample_rate: int) -> Mel:
    """A spectrogram to show what a network reads as samples."""
    hop = max(1, sample_rate // SHOWN_FRAMES)
    return Mel(3 * hop, hop, SHOWN_BINS)


def _given(spec: ModelSpec, target: str) -> Array:
    """Begin, a text, end."""
    assert spec.vocabularies is not None
    numbers = _numbers(target, Vocabulary(spec.vocabularies.target), f"{spec.name} cannot write")
    return np.array([BEGIN, *numbers, END])


def _written(opened: _Opened, item: Array) -> Array:
    """What a model writes for an item, and what it begins with: symbols (M + 1,) or frames (M + 1, r·F)."""
    side = opened.geometry.target
    with ExitStack() as held:
        encoder, decoder = (opened.executor(graph) for graph in ("encoder", "decoder"))
        for executor in (encoder, decoder):
            held.callback(executor.close)
        if isinstance(side, TextSide):
            generator = Generator.over(encoder, decoder, opened.spec)
            ((text,),) = generator.generate([item], most_symbols=MOST_WRITTEN)
            return np.array([BEGIN, *text.symbols, END])
        assert isinstance(side, SpectrogramSide)
        steps = DecoderState(encoder, decoder, opened.geometry, [item])
        frames, stop = [np.zeros((1, side.stride * side.bins), np.float32)], -1.0
        while stop <= 0 and len(frames) <= MOST_WRITTEN:
            following, (stop,) = steps.frames(frames[-1])
            frames.append(following)
        return np.concatenate(frames)


def _target_axis(spec: ModelSpec, shown: Array) -> Axis:
    """Steps of a target: symbols (M,) or frames (M, r·F)."""
    if shown.ndim == 1:
        assert spec.vocabularies is not None
        return Axis(len(shown), _labels(spec.vocabularies.target, shown.tolist()))
    assert spec.mel is not None
    levels = shown.reshape(-1, spec.mel.bins)
    return Axis(len(shown), levels=levels, seconds=len(levels) * spec.mel.hop_samples / spec.sample_rate)


def _maps(
    found: dict[str, Array], source: Axis, rows: Axis | None = None, before: Axis | None = None
) -> tuple[AttentionMap, ...]:
    """The layers of the encoder, and of a decoder that writes `rows` after what was `before` them."""
    kinds: list[tuple[Kind, Axis, Axis]] = [("encoder", source, source)]
    if rows and before:
        kinds += [("decoder", rows, before), ("cross", rows, source)]
    return tuple(
        AttentionMap(kind, layer, heads, own, others)
        for kind, own, others in kinds
        for layer, heads in enumerate(found[f"{kind}_attention"], 1)
    )
