"""One plain sentence at the end of a test run: what passed, what was skipped, and what to install to run the rest."""

from collections import Counter
from collections.abc import Sequence

# what a skip's reason names: how the sentence calls it, and how to get it
REMEDIES = {
    "parity fixtures": ("the parity fixtures", "set UNBRAID_SHARED to the folder that holds them"),
    "browser": ("a browser", "apt install chromium"),
    "espeak-ng": ("espeak-ng", "apt install espeak-ng"),
    "ffmpeg": ("the ffmpeg program", "apt install ffmpeg"),
    "flite": ("flite", "apt install flite"),
    "FluidSynth": ("FluidSynth and a SoundFont", "apt install fluidsynth timgm6mb-soundfont"),
    "Whisper base": ("the real Whisper base", "set UNBRAID_WHISPER_BASE to its published folder"),
    "swift-f0": ("swift-f0", "pip install 'unbraid[analysis]'"),
    "museval": ("museval", "pip install museval"),
    "pesq": ("pesq", "pip install pesq"),
    "web extra": ("the web extra", "pip install 'unbraid[web]'"),
    "pyannote": ("pyannote.metrics", "pip install pyannote.metrics"),
}


def sentence(outcomes: dict[str, int], reasons: Sequence[str]) -> str:
    """What became of a run.

    Args:
        outcomes: how many tests "passed", "failed", "error".
        reasons: why tests were skipped, one a test.
    """
    parts = [f"{count:,} {kind}" for kind, count in outcomes.items() if count or kind == "passed"]
    if not reasons:
        return f"{', '.join(parts)}, none skipped."
    told = [f"{name} ({_tests(count)}: {remedy})" for (name, remedy), count in _grouped(reasons) if remedy]
    others = [f"{name} ({_tests(count)})" for (name, remedy), count in _grouped(reasons) if not remedy]
    lacks = f" This machine lacks {', '.join(told)}." if told else ""
    rest = f" Skipped for other reasons: {'; '.join(others)}." if others else ""
    return f"{', '.join(parts)}, {len(reasons):,} skipped.{lacks}{rest}"


def _grouped(reasons: Sequence[str]) -> list[tuple[tuple[str, str], int]]:
    """(name, remedy) of all that is missing, commonest first, with the number of tests."""
    named = (next((told for word, told in REMEDIES.items() if word in reason), (reason, "")) for reason in reasons)
    return Counter(named).most_common()


def _tests(count: int) -> str:
    return f"{count:,} test{'s' * (count != 1)}"
