"""The files of one side of one's own pairs: recordings, or log-mel spectrograms in .npy and .npz files."""

from pathlib import Path

import numpy as np

from unbraid.audio.spectrogram_files import checked_levels, is_spectrogram, open_spectrogram
from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip
from unbraid.errors import AudioError
from unbraid.models.audio_transformer.padding import whole_steps
from unbraid.training.data.aside import check_sounds
from unbraid.training.data.clip_cache import Shelf
from unbraid.training.data.utterances import Hearing


class SideFiles:
    """Reads files, or excerpts of whole steps of them, in the format of a network's source or target."""

    def __init__(self, hearing: Hearing):
        self._hearing, self._shelf = hearing, Shelf(hearing.sample_rate, keep_all=True)

    def steps(self, path: Path) -> int:
        """The number of steps of a file; the last one may be incomplete.

        Raises:
            AudioError: it cannot be read, or is a spectrogram where the network takes a waveform.
        """
        step = self._hearing.step_samples
        if is_spectrogram(path):
            mel = self._hearing.mel
            if mel is None:
                raise AudioError(f"{path} is a spectrogram, and a recording is needed; name that.")
            return -(-len(open_spectrogram(path, mel.bins)) * mel.hop_samples // step)
        return -(-self._shelf.checked(Clip(path)) // step)

    def read(self, path: Path, first: int = 0, steps: int | None = None) -> Array:
        """Some steps of a file, or all from the first on: samples (N·stride,) or levels (N·stride, F).

        Raises:
            AudioError: it cannot be read, or is silent.
        """
        hearing, step = self._hearing, self._hearing.step_samples
        steps = self.steps(path) - first if steps is None else steps
        if is_spectrogram(path) and hearing.mel is not None:
            start, stop = (step * place // hearing.mel.hop_samples for place in (first, first + steps))
            levels = open_spectrogram(path, hearing.mel.bins)[start:stop]
            return whole_steps(checked_levels(levels, path), hearing.side)
        (audio,) = self._shelf.piece(Clip(path), first * step, steps * step)
        return hearing(np.asarray(audio))

    def whole(self, path: Path) -> Array:
        """All of a file that is not silent.

        Raises:
            AudioError: it cannot be read, or is silent.
        """
        found = self.read(path)
        if not is_spectrogram(path):
            check_sounds(found if self._hearing.mel is None else found + 1, path)
        return found
