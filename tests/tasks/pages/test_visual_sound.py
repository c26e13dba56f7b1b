"""What a page plays: a file that libsndfile frees once, wherever a signal comes."""

import gc
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sndfile_fakes import CountingLibrary
from unbraid.tasks.pages.sound import Sound


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_signal_while_a_sound_is_closed_frees_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = CountingLibrary(after=lambda: os.kill(os.getpid(), signal.SIGINT))
    monkeypatch.setattr(soundfile, "_snd", library)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Sound(tmp_path / "page.mp3", 16000, 1, 1.0) as sound:
            sound.add(np.zeros((1, 1600), np.float32))
            sound.finish()
    finally:
        signal.signal(signal.SIGINT, previous)
    del sound
    gc.collect()
    assert len(library.freed) == 1
    assert not list(tmp_path.iterdir())
