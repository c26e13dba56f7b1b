"""The model for each task where none is named."""

from collections.abc import Set

from unbraid.models.config import Task

DEFAULTS: dict[Task, str] = {
    "separation": "speech",
    "enhancement": "denoise",
    "transcription": "digits",
    "phonemes": "g2p",
    "acoustic model": "speak",  # which no release has yet; users train it
    "voice conversion": "microsoft/speecht5_vc",
    "vocoder": "microsoft/speecht5_hifigan",  # of SpeechT5s
    "speaker embedding": "voice",
    "notes": "basic-pitch",
}
MUSIC = "music-4"  # of separation, where a recording sounds like music
MUSIC_STEMS = ("vocals", "drums", "bass", "other")  # of this one
PITCHED = "music-5"  # of melodies and notes: its stems give the best scores, vocals included
LIVE = "denoise-live"  # the causal one


def are_song_stems(stems: Set[str]) -> bool:
    """Whether there are names of stems, all of songs: then the recording is one."""
    return bool(stems) and stems <= set(MUSIC_STEMS)
