"""The model for each task where none is named."""

from unbraid.models.config import Task

DEFAULTS: dict[Task, str] = {
    "separation": "speech",
    "enhancement": "denoise",
    "transcription": "digits",
    "phonemes": "g2p",
    "acoustic model": "speak",  # which no release has yet; users train it
    "speaker embedding": "voice",
    "notes": "basic-pitch",
}
MUSIC = "music-4"  # of separation, where a recording sounds like music
MUSIC_STEMS = ("vocals", "drums", "bass", "other")  # of this one
LIVE = "denoise-live"  # the causal one
