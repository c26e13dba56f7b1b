"""A stand-in for the network of a phonemizer, which spells: it says each letter in capitals."""

import numpy as np

from unbraid.hub.spec import ModelSpec, Vocabularies
from unbraid.hub.vocabulary import END, SPECIAL
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.tasks.decoding.generator import Generator

LETTERS = "'-.abcdefghijklmnopqrstuvwxyz"
SOURCE = (*SPECIAL, *LETTERS)
TARGET = (*SPECIAL, *LETTERS.upper())  # the same places, so that symbols are copied
SURE = 0.9  # probability of a right symbol; the others share the rest


def words_spec(name: str = "speller") -> ModelSpec:
    """A model from letters to capitals."""
    sizes = AudioTransformerConfig(TextSide(len(SOURCE)), TextSide(len(TARGET)), 2, 1, 2, 1, 1)
    return ModelSpec(
        name, "audio_transformer", 0, 0, (), sizes, "MIT", "a test", vocabularies=Vocabularies(SOURCE, TARGET)
    )


class _Fake:
    device, reason = "fake", "a test asked for it"

    def close(self) -> None:
        pass


class FakeEncoder(_Fake):
    """Keeps what it reads where a network has keys: (L, B, H, N, D/H) with all but B and N of one."""

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        kept = inputs["symbols"][None, :, None, :, None].astype(np.float32)
        return {"cross_keys": kept, "cross_values": kept}


class FakeDecoder(_Fake):
    """After n symbols, writes the next one of the source, its end included."""

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        past = inputs["self_keys"]  # (1, B, 1, n, …)
        source = inputs["cross_keys"][0, :, 0, :, 0].astype(int)  # (B, N)
        step = np.minimum(past.shape[3], inputs["lengths"] - 1)
        right = source[np.arange(len(source)), step]
        probabilities = np.full((len(source), len(TARGET)), (1 - SURE) / (len(TARGET) - 1))
        probabilities[np.arange(len(source)), np.where(right < len(SPECIAL), END, right)] = SURE
        more = np.concatenate((past, np.zeros_like(past, shape=(*past.shape[:3], 1, past.shape[4]))), 3)
        return {"logits": np.log(probabilities).astype(np.float32), "new_self_keys": more, "new_self_values": more}


def speller(name: str = "speller") -> Generator:
    """A generator over the stand-in."""
    return Generator.over(FakeEncoder(), FakeDecoder(), words_spec(name))
