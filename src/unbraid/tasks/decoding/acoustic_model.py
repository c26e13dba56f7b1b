"""AcousticModel: generates log-mel spectrograms autoregressively, some frames a step, from phonemes.

    with AcousticModel("voice") as acoustic_model:
        (spoken,) = acoustic_model.speak([[9, 7, 26, 2]])  # spoken.log_mel (N, F)

The decoder starts from frames of zeros, and is fed its own output until its stop logit is positive (Wang et al.,
"Tacotron", arXiv 1703.10135; Li et al., arXiv 1809.08895); the post-net then refines all frames of an item at once.
Items are independent, as in generator.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.errors import UsageError
from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide
from unbraid.runtime import Engine, Executor
from unbraid.tasks.decoding.state import Array, DecoderState, Item, in_batches
from unbraid.tasks.loading import Loaded, LoadedModel, load, transformer_sizes


@dataclass(frozen=True)
class Spoken:
    """The spectrogram of an item."""

    log_mel: Array  # (N, F)
    ended: bool  # by the model; otherwise cut off at the limit


class AcousticModel(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(self, model: str | Path | Loaded, *, device: str = "auto", threads: int | None = None):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is not autoregressive, or does not generate spectrograms.
        """
        spec, executors = load(model, _sizes, Engine(device, threads=threads))
        super().__init__(spec, *executors)
        self._encoder, self._decoder, self._post = executors
        self._geometry = _sizes(spec)
        assert isinstance(self._geometry.target, SpectrogramSide)
        self._side = self._geometry.target

    @classmethod
    def over(cls, encoder: Executor, decoder: Executor, post: Executor, spec: ModelSpec) -> Self:
        """An acoustic model over executors of one's own: another engine, or fakes in a test."""
        return cls(Loaded(spec, (encoder, decoder, post)))

    def speak(self, items: Sequence[Item], *, most_frames: int | Sequence[int] = 2000) -> list[Spoken]:
        """Generate a spectrogram for each item.

        `most_frames` limits its length, for all or for each, rounded up to whole steps.

        Raises:
            UsageError: an item is empty or not an input of this model, or the limit is below 1.
        """
        most = most_frames if isinstance(most_frames, Sequence) else [most_frames] * len(items)
        if any(frames < 1 for frames in most):
            raise UsageError(f"At least one frame is needed, got {min(most)}.")
        most_steps = [-(-frames // self._side.stride) for frames in most]

        def decode(some: dict[int, Array]) -> dict[int, Spoken]:
            written = self.write(list(some.values()), [most_steps[i] for i in some])
            return {i: Spoken(self._refined(rows), ended) for i, (rows, ended) in zip(some, written, strict=True)}

        return in_batches(items, self._geometry.source, decode)

    def write(self, items: Sequence[Array], most_steps: Sequence[int]) -> list[tuple[Array, bool]]:
        """Decode a batch greedily: frames (M, r·F) of each item before the post-net, and whether the model ended it."""
        steps = DecoderState(self._encoder, self._decoder, self._geometry, items)
        written: list[list[Array]] = [[] for _ in items]
        going, ended = list(range(len(items))), set[int]()
        frames = np.zeros((len(going), self._side.stride * self._side.bins), np.float32)  # (B, r·F)
        while going:
            frames, stop = steps.frames(frames)
            for i, row in zip(going, frames, strict=True):
                written[i].append(row)
            ended |= {i for i, logit in zip(going, stop, strict=True) if logit > 0}
            rows = [row for row, i in enumerate(going) if i not in ended and len(written[i]) < most_steps[i]]
            steps.keep(rows)
            going, frames = [going[row] for row in rows], np.ascontiguousarray(frames[rows])
        return [(np.stack(rows), i in ended) for i, rows in enumerate(written)]

    def _refined(self, frames: Array) -> Array:
        """Frames (M, r·F) after the post-net: (N, F)."""
        return self._post.run({"log_mel": frames.reshape(1, -1, self._side.bins)})["refined"][0]


def _sizes(spec: ModelSpec) -> AudioTransformerConfig:
    return transformer_sizes(spec, "spectrogram")
