"""What is closed when the program starts stays out of its files; what decoders say stays out of its output."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from odd_containers import RATE, AudioTrack, mux, spoil, tone

PROGRAM = """
import os, sys
from unbraid import __main__ as program
import unbraid.cli
def run():
    path = sys.argv[1]
    opened = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(2, b"a decoder's warning")  # as C code does
    os.write(opened, b"samples")
    os.close(opened)
unbraid.cli.main = run
program.main()
"""
CHATTER = """
import itertools, sys, threading
from unbraid import audio
from unbraid.audio import ReadOptions
def read():
    for path, start, skip_damage in itertools.product(sys.argv[1:], (0.0, 0.3, 0.61), (False, True)):
        try:
            audio.read(path, audio.Excerpt(start=start, reading=ReadOptions(skip_damage=skip_damage)))
        except audio.read.__globals__["AudioError"]:
            pass
read()
thread = threading.Thread(target=read)
thread.start()
thread.join()
"""


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by a POSIX shell here")
@pytest.mark.parametrize("closed", [c for n in range(4) for c in itertools.combinations((0, 1, 2), n)], ids=str)
def test_numbers_of_closed_streams_go_to_no_file(tmp_path: Path, closed: tuple[int, ...]) -> None:
    redirections = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    path = tmp_path / "out"
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", PROGRAM, str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == b"samples"


def test_decoders_say_nothing(tmp_path: Path) -> None:
    """Neither of sound files that are entered in the middle nor of damaged ones."""
    signal = tone(1.0) + 0.05 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    files = [tmp_path / f"in.{kind}" for kind in ("mp3", "noindex.mp3", "flac", "ogg", "m4a", "mkv", "ts", "avi")]
    for path in [*files]:
        if path.name == "in.mp3":
            with soundfile.SoundFile(path, "w", RATE, 1, bitrate_mode="VARIABLE", compression_level=0.3) as file:
                file.write(signal)
        elif path.suffix in (".flac", ".ogg"):
            soundfile.write(path, signal, RATE)
        elif path.suffix == ".mp3":
            mux(path, [AudioTrack(signal)], "libmp3lame", write_xing="0")
        else:
            mux(path, [AudioTrack(signal)], "aac")
        files.append(path.with_name(f"hit.{path.name}"))
        files[-1].write_bytes(path.read_bytes())
        spoil(files[-1], size=300)
    done = subprocess.run([sys.executable, "-c", CHATTER, *map(str, files)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
