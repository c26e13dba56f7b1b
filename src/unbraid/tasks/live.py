"""LiveSeparator: a causal model on a stream, block by block, as it is heard.

    live = LiveSeparator("denoise-live", sample_rate=48000)
    live.latency_seconds                   # 0.036
    heard = live.push(block)               # (C, n) -> (S, C, n), so much later
    rest = live.flush()                    # the last of it: (S, C, latency_samples)

Blocks of any size give the same output, bit for bit: the model sees hops of its own size, and the resampling from and
to its rate is summed sample by sample. Memory is that of some hops.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unbraid.audio import ArrayLike
from unbraid.audio.arrays import LOUDEST, checked_rate, numbers_of
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.polyphase import Conversion, reach
from unbraid.errors import AudioError, UsageError
from unbraid.hub.defaults import LIVE
from unbraid.hub.spec import ModelSpec
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.runtime import Engine, Executor
from unbraid.tasks.loading import Loaded, LoadedModel, load
from unbraid.tasks.separation.causal import CausalStream

LEAST_RATE, MOST_RATE = 4000, 192_000  # Hz
MOST_CHANNELS = 32


class LiveSeparator(LoadedModel):
    """A causal model and the state of one stream. `close()`, or a `with` statement, frees its memory.

    `latency_samples` at the stream's rate is how much later than its input the output comes. It is exact: an output of
    a model that changes nothing is the input, so many samples later.
    """

    def __init__(
        self,
        model: str | Path | Loaded = LIVE,
        *,
        sample_rate: int | None = None,
        channels: int = 1,
        delayed: bool = True,
        device: str = "cpu",
        threads: int | None = 1,
    ):
        """Load a model by name or folder for a stream of so many channels (None: at the model's rate).

        With `delayed`, every push returns as many samples as it takes, the first `latency_samples` of them silent.
        Without, these are left out: the output is as long as the input, and in time with it, once it is flushed.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            AudioError: the sample rate is no such number.
            UsageError: the model is not causal, or the number of channels or the sample rate is out of range.
            RuntimeUnavailable: the device is not there.
        """
        spec, (executor,) = load(model, check_causal, Engine(device, threads=threads))
        super().__init__(spec, executor)
        assert isinstance(spec.geometry, CausalLSTMConfig)
        self._executor, self._geometry = executor, spec.geometry
        self.sample_rate = spec.sample_rate if sample_rate is None else checked_rate(sample_rate)
        if not LEAST_RATE <= self.sample_rate <= MOST_RATE:
            raise UsageError(f"Live audio has {LEAST_RATE} to {MOST_RATE} Hz, not {self.sample_rate}; resample it.")
        if not 1 <= channels <= MOST_CHANNELS:
            raise UsageError(f"Live audio has 1 to {MOST_CHANNELS} channels, not {channels}.")
        self.channels, self._delayed = channels, delayed
        self.latency_samples = latency_samples(spec, self.sample_rate)
        self.reset()

    @classmethod
    def over(
        cls, executor: Executor, spec: ModelSpec, *, sample_rate: int | None = None, channels: int = 1
    ) -> "LiveSeparator":
        """A live separator over an executor of one's own: another engine, or a fake in a test."""
        return cls(Loaded(spec, (executor,)), sample_rate=sample_rate, channels=channels)

    @property
    def latency_seconds(self) -> float:
        """The delay of the output: the model's, and that of resampling from and to its rate."""
        return self.latency_samples / self.sample_rate

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return self.spec.stems

    def reset(self) -> None:
        """Begin a new stream."""
        self.repaired_samples = 0  # NaN, infinite, or far above full scale: heard as silence
        ours, model, shape = self.sample_rate, self.spec.sample_rate, (len(self.stems), self.channels)
        self._stream = CausalStream(self._executor, self._geometry, self.channels)
        self._down, self._up = Conversion((self.channels,), ours, model), Conversion(shape, model, ours)
        self._hops = 0  # that the model has seen
        self._ready: FloatArray = np.zeros((*shape, self.latency_samples), np.float32)
        self._skip = 0 if self._delayed else self.latency_samples

    def push(self, block: ArrayLike) -> FloatArray:
        """The next samples (C, n) of the stream -> stems (S, C, n), `latency_samples` later.

        Samples that are NaN, infinite or far above full scale are heard as silence and counted in `repaired_samples`;
        the stream goes on.

        Raises:
            AudioError: the block is not an array of real numbers (C, n) with the stream's channels.
        """
        given = self._checked(block)
        count = given.shape[1]
        ready = np.concatenate((self._ready, *self._made(given)), -1)
        self._ready = ready[..., count:].copy()
        skipped = min(self._skip, count)
        self._skip -= skipped
        return ready[..., skipped:count]

    def flush(self) -> FloatArray:
        """The stems (S, C, `latency_samples`) of the last samples; then a new stream begins."""
        count = self.repaired_samples
        rest = self.push(np.zeros((self.channels, self.latency_samples), np.float32))
        self.reset()
        self.repaired_samples = count
        return rest

    def _made(self, block: FloatArray) -> Iterator[FloatArray]:
        """The stems (S, C, m) that are complete once a block (C, n) is in, at the stream's rate."""
        hop = self._geometry.hop_samples
        self._down.push(block)
        while self._down.ready >= (self._hops + 1) * hop:
            stems = self._stream(self._down.take((self._hops + 1) * hop))
            if self._hops:  # the first ones lie before the start
                self._up.push(stems)
            self._hops += 1
            yield self._up.take(self._up.ready)

    def _checked(self, block: ArrayLike) -> FloatArray:
        """A block as float32 (C, n), without bad samples."""
        found = numbers_of(block, "A block")
        if found.ndim != 2 or len(found) != self.channels:
            shape = "(1, samples)" if self.channels == 1 else f"({self.channels}, samples)"
            raise AudioError(f"A block of this stream has the shape {shape}, not {found.shape}.")
        with np.errstate(invalid="ignore"):
            good = np.abs(found) <= LOUDEST
        if good.all():
            return found.astype(np.float32, copy=False)
        self.repaired_samples += int(good.size - np.count_nonzero(good))
        return np.where(good, found, 0).astype(np.float32)


def check_causal(spec: ModelSpec) -> None:
    """Refuse a model that sees what comes later.

    Raises:
        UsageError: naming it.
    """
    if spec.latency_seconds is None:
        raise UsageError(
            f"{spec.name} hears a recording before it answers, and live audio needs a causal model: choose one that "
            f"`unbraid models` lists with a latency, such as {LIVE}."
        )


def latency_samples(spec: ModelSpec, sample_rate: int) -> int:
    """The samples of a stream at `sample_rate` from an input to its output: a frame of the model, and resampling.

    A hop runs once its last sample is there, which takes `reach` inputs more, and completes the hop before; of this,
    all but the last `reach` samples of the model's can be resampled.
    """
    frame, model = spec.geometry.latency_samples, spec.sample_rate
    assert frame is not None
    if sample_rate == model:
        return frame
    late = frame + reach(model, sample_rate)  # samples of the model
    return reach(sample_rate, model) + -(-late * sample_rate // model) + 1
