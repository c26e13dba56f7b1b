"""Texts of files, recordings or stored spectrograms, as they are: for pairs that cannot be augmented."""

from collections.abc import Sequence

import numpy as np
import torch

from unbraid.corpora.transcripts import Utterance
from unbraid.errors import AudioError
from unbraid.training.data.aside import UsableItems
from unbraid.training.data.side_files import SideFiles
from unbraid.training.data.utterances import Encode, HeardText, Hearing


class FileTexts(UsableItems):
    """Files with their texts, in order."""

    def __init__(self, utterances: Sequence[Utterance], hearing: Hearing, encode: Encode):
        self._files, self._encode = SideFiles(hearing), encode
        super().__init__(utterances, "There is no file with a text.")

    @property
    def steps(self) -> np.ndarray:
        """The length of each file: (items,)."""
        return np.array([self._files.steps(utterance.clip.path) for utterance in self.recordings])

    def _check(self, utterance: Utterance) -> None:
        steps, symbols = self._files.steps(utterance.clip.path), len(self._encode(utterance.text))
        if steps < symbols:
            raise AudioError(
                f"{utterance.clip.path} has {steps} steps, too few for its text of {symbols} symbols; cut the text, "
                "or make the network's steps shorter."
            )

    def _item(self, utterance: Utterance) -> HeardText:
        path = utterance.clip.path
        source = torch.from_numpy(self._files.whole(path))
        return HeardText(source, self._files.steps(path), tuple(self._encode(utterance.text)))
