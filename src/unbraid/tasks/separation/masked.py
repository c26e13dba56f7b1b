"""Networks that mask complex spectra, TIGERs, as networks on waveforms; and the chunks of the published program.

The transform is outside the graph, in NumPy. Its frames are those of torch.stft, and waveforms may have any length.
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from unbraid.dsp.arrays import Blocks, ComplexArray, FloatArray
from unbraid.dsp.centred_stft import centred_istft, centred_stft
from unbraid.models.tiger.config import TigerConfig
from unbraid.runtime.executor import Executor
from unbraid.tasks.separation.complex_front import chunks
from unbraid.tasks.separation.fronts import WaveformFront, run_sepformer


class MaskingExecutor:
    """An executor of a network's graph as one of waveforms: mixture (B, T) -> sources (B, S, T)."""

    def __init__(self, executor: Executor, geometry: TigerConfig):
        self.device, self.reason = executor.device, executor.reason
        self._executor, self._geometry = executor, geometry

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `Executor.run`; each item by itself, as two at once would only take more memory."""
        return {"sources": np.concatenate([self._sources(item) for item in inputs["mixture"][:, None]])}

    def close(self) -> None:
        """As `Executor.close`."""
        self._executor.close()

    def _sources(self, mixture: FloatArray) -> FloatArray:
        """(1, T) -> (1, S, T)."""
        frame, hop = self._geometry.frame_samples, self._geometry.hop_samples
        spectrum = centred_stft(mixture, frame, hop)  # (1, N, F)
        parts = np.stack((spectrum.real, spectrum.imag), 1)  # (1, 2, N, F)
        masks = self._executor.run({"spectrum": np.ascontiguousarray(parts.swapaxes(2, 3))})["masks"]
        stems: ComplexArray = np.empty((1, masks.shape[1], *spectrum.shape[1:]), np.complex64)  # (1, S, N, F)
        stems.real, stems.imag = masks.transpose(2, 0, 1, 4, 3)
        stems *= spectrum[:, None]
        return centred_istft(stems, frame, hop, mixture.shape[-1])


@dataclass(frozen=True)
class NamedFront:
    """A network whose outputs are stems with names, in a fixed order, and its windows."""

    waveform: WaveformFront

    @property
    def window_samples(self) -> int:
        """Of a window."""
        return self.waveform.window_samples

    @property
    def overlap_samples(self) -> int:
        """That two windows share."""
        return self.waveform.overlap_samples

    def separate(self, audio: FloatArray) -> FloatArray:
        """Stems (S, C, T) of one window (C, T)."""
        return run_sepformer(self.waveform, audio)


def published_means(front: NamedFront, blocks: Blocks) -> Blocks:
    """Stems (S, C, n) of blocks (C, n) as the published program has them: the mean of all windows at each sample.

    The signal begins with as much silence as two windows share, so that its first sample is in as many of them as any
    other. Windows at its end are filled up with zeros.
    """
    size, skip = front.window_samples, front.overlap_samples
    step = size - skip
    head = next(blocks, None)
    if head is None:
        return
    silence = np.zeros((len(head), skip), np.float32)
    total: FloatArray | None = None  # (S, C, size): the sum from the window on
    counts = np.zeros(size, np.float32)
    for chunk, _ in chunks(chain((silence, head), blocks), size, step):
        length = chunk.shape[-1]
        stems = front.separate(np.pad(chunk, ((0, 0), (0, size - length))))
        total, counts = stems if total is None else total + stems, counts + 1
        ready = total[..., : min(step, length)] / counts[: min(step, length)]
        start = min(skip, ready.shape[-1])
        skip -= start
        if start < ready.shape[-1]:
            yield ready[..., start:]
        total = np.concatenate((total[..., step:], np.zeros_like(total[..., :step])), -1)
        counts = np.concatenate((counts[step:], np.zeros(step, np.float32)))
