"""The programs that play and speak, and how to get them."""

import shutil

from unbraid.errors import RuntimeUnavailable

_PROGRAMS = {  # what needs it; its packages of Debian, and of Homebrew
    "fluidsynth": ("Rendering needs", "fluidsynth fluid-soundfont-gm", "fluid-synth"),
    "espeak-ng": ("Speaking needs", "espeak-ng", "espeak-ng"),
    "flite": ("Phrases need", "flite", "flite"),
}


def find_program(name: str) -> str:
    """The path of one of the programs.

    Raises:
        RuntimeUnavailable: it is not installed.
    """
    needed, debian, homebrew = _PROGRAMS[name]
    if (path := shutil.which(name)) is None:
        raise RuntimeUnavailable(
            f"{needed} the program {name}, which is not installed; get it with `apt install {debian}` (Debian, Ubuntu) "
            f"or `brew install {homebrew}` (macOS)."
        )
    return path
