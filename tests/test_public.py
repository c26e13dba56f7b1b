"""The public names, pinned: adding or removing one is a decision."""

import importlib

import pytest

import unbraid
from unbraid import errors

PUBLIC = [
    "Aligner",
    "Alignment",
    "AudioError",
    "Cancelled",
    "ChecksumError",
    "Chord",
    "Chords",
    "Conversation",
    "DownloadError",
    "Key",
    "LiveSeparator",
    "Melody",
    "ModelError",
    "ModelNotFound",
    "Note",
    "NoteTranscriber",
    "Notes",
    "Options",
    "Phonemizer",
    "ReadOptions",
    "RuntimeUnavailable",
    "Separator",
    "Singers",
    "Song",
    "SpeakerEmbedder",
    "SpecError",
    "Stems",
    "Synthesizer",
    "Transcriber",
    "Transcript",
    "UnbraidError",
    "UsageError",
    "VoiceConverter",
    "WhisperOptions",
    "__version__",
    "align",
    "analyse",
    "convert",
    "enhance",
    "list_models",
    "melody",
    "models",
    "notes",
    "phonemize",
    "separate",
    "separate_speakers",
    "singers",
    "synthesize",
    "transcribe",
]


def test_all_is_sorted_and_pinned() -> None:
    assert unbraid.__all__ == PUBLIC == sorted(PUBLIC)
    assert dir(unbraid) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_there(name: str) -> None:
    assert getattr(importlib.import_module("unbraid"), name) is not None


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="^module 'unbraid' has no attribute 'Separater'$"):
        _ = unbraid.Separater


def test_every_error_is_public_and_under_one_base() -> None:
    ours = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert ours <= set(unbraid.__all__)
    assert all(issubclass(getattr(errors, name), unbraid.UnbraidError) for name in ours)
    for error in (errors.ModelNotFound, errors.SpecError, errors.ChecksumError, errors.DownloadError):
        assert issubclass(error, errors.ModelError)
