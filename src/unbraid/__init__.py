"""unbraid separates audio recordings: the voices of people who talk at the same time, the stems of a song.

    import unbraid

    stems = unbraid.separate("mix.wav")                     # {"speaker1": (C, T) float32, …}
    separator = unbraid.Separator("music-4")                # a name, or a model folder
    stems = separator(audio, sample_rate)                   # arrays (C, T) in and out
    conversation = unbraid.separate_speakers("meeting.m4a")  # .tracks {"speaker1": (C, T), …}, .segments
    voice = unbraid.enhance("noisy.wav")                    # (C, T) without the noise
    unbraid.transcribe("call.wav").text                     # "3 1 4"; .words has times
    unbraid.align("lyrics.txt", "song.mp3").to_lrc()        # the times of a text that is known
    unbraid.analyse("song.mp3").chords                      # and .key, .melody, .notes, all from one separation
    unbraid.melody("song.mp3").hz                           # f0 of the voice; .notes, .save("melody.mid")
    unbraid.notes("song.mp3", "piano").save("piano.mid")    # notes of a stem
    unbraid.singers("song.mp3", {"anna": "anna.wav"}).passages  # who sings when
    unbraid.models()                                        # all models, with their stems and scores
    unbraid.phonemize("cat")                                # "K AE T"
    audio, rate = unbraid.synthesize("Room 305, please.")   # (1, T), Hz
    audio = unbraid.convert("talk.wav", voice="anna.wav")   # (C, T), the same in another voice

Importing this loads neither an engine nor a deep-learning framework. Nothing is sent over the network unasked:
ONNX Runtime's telemetry, which since 1.32 is on by default on Linux too, is turned off.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unbraid import models
    from unbraid.audio.options import ReadOptions
    from unbraid.errors import (
        AudioError,
        Cancelled,
        ChecksumError,
        DownloadError,
        ModelError,
        ModelNotFound,
        RuntimeUnavailable,
        SpecError,
        UnbraidError,
        UsageError,
    )
    from unbraid.hub.listing import list_models
    from unbraid.tasks.alignment.aligner import Aligner
    from unbraid.tasks.alignment.result import Alignment
    from unbraid.tasks.analysis.api import melody, notes
    from unbraid.tasks.analysis.chords import Chord, Chords
    from unbraid.tasks.analysis.key import Key
    from unbraid.tasks.analysis.melody import Melody
    from unbraid.tasks.analysis.notes import Note, Notes
    from unbraid.tasks.analysis.notes_transcriber import NoteTranscriber
    from unbraid.tasks.analysis.singers import Singers
    from unbraid.tasks.analysis.singers_api import singers
    from unbraid.tasks.analysis.song import Song
    from unbraid.tasks.analysis.song_api import analyse
    from unbraid.tasks.api import align, enhance, separate, separate_speakers, transcribe
    from unbraid.tasks.conversation.conversation import Conversation
    from unbraid.tasks.conversation.embedder import SpeakerEmbedder
    from unbraid.tasks.conversion.converter import VoiceConverter
    from unbraid.tasks.live import LiveSeparator
    from unbraid.tasks.separation.options import Options
    from unbraid.tasks.separation.separator import Separator
    from unbraid.tasks.separation.stems import Stems
    from unbraid.tasks.speech_api import convert, phonemize, synthesize
    from unbraid.tasks.synthesis.phonemizer import Phonemizer
    from unbraid.tasks.synthesis.synthesizer import Synthesizer
    from unbraid.tasks.transcription.result import Transcript
    from unbraid.tasks.transcription.transcriber import Transcriber
    from unbraid.tasks.transcription.whisper.options import WhisperOptions

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when ONNX Runtime is loaded; a user's own choice stays

__all__ = [
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

_HOMES = {
    **dict.fromkeys(
        ("align", "enhance", "separate", "separate_speakers", "transcribe"),
        "unbraid.tasks.api",
    ),
    **dict.fromkeys(("melody", "notes"), "unbraid.tasks.analysis.api"),
    **dict.fromkeys(("convert", "phonemize", "synthesize"), "unbraid.tasks.speech_api"),
    "Aligner": "unbraid.tasks.alignment.aligner",
    "Alignment": "unbraid.tasks.alignment.result",
    "Chord": "unbraid.tasks.analysis.chords",
    "Chords": "unbraid.tasks.analysis.chords",
    "Conversation": "unbraid.tasks.conversation.conversation",
    "Key": "unbraid.tasks.analysis.key",
    "LiveSeparator": "unbraid.tasks.live",
    "Melody": "unbraid.tasks.analysis.melody",
    "Note": "unbraid.tasks.analysis.notes",
    "NoteTranscriber": "unbraid.tasks.analysis.notes_transcriber",
    "Notes": "unbraid.tasks.analysis.notes",
    "Options": "unbraid.tasks.separation.options",
    "ReadOptions": "unbraid.audio.options",
    "Phonemizer": "unbraid.tasks.synthesis.phonemizer",
    "Separator": "unbraid.tasks.separation.separator",
    "list_models": "unbraid.hub.listing",
    "Singers": "unbraid.tasks.analysis.singers",
    "singers": "unbraid.tasks.analysis.singers_api",
    "Song": "unbraid.tasks.analysis.song",
    "SpeakerEmbedder": "unbraid.tasks.conversation.embedder",
    "analyse": "unbraid.tasks.analysis.song_api",
    "Stems": "unbraid.tasks.separation.stems",
    "Synthesizer": "unbraid.tasks.synthesis.synthesizer",
    "Transcript": "unbraid.tasks.transcription.result",
    "Transcriber": "unbraid.tasks.transcription.transcriber",
    "VoiceConverter": "unbraid.tasks.conversion.converter",
    "WhisperOptions": "unbraid.tasks.transcription.whisper.options",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'unbraid' has no attribute {name!r}")
    if name == "models":
        return import_module("unbraid.models")  # a package that can be called
    value: object = getattr(import_module(_HOMES.get(name, "unbraid.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
