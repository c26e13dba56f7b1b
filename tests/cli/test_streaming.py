"""Standard input to standard output: stems come while the input does, and only what must waits for its end."""

import io
import os
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest

from unbraid import audio
from unbraid.audio.live_wav import LiveFormat
from unbraid.cli.pipes import Pushback
from unbraid.cli.streaming import IncomingWav
from unbraid.errors import AudioError

RATE = 44100


def wav(samples: np.ndarray, size: int, behind: bytes = b"") -> bytes:
    """A WAV of 16 bits that states so many bytes."""
    form = LiveFormat(8000, len(samples))
    return form.header()[:-4] + struct.pack("<I", size) + form.encoded(samples) + behind


@pytest.fixture
def noise() -> np.ndarray:
    return (0.3 * np.random.default_rng(1).standard_normal((2, 20000))).clip(-0.9, 0.9).astype(np.float32)


@pytest.mark.parametrize("size", [80000, 0, 0xFFFFFFFF, 0x7FFFFFFF, 40000])
def test_all_samples_come_whatever_the_header_states(noise, size):
    """A recorder does not know the length, or has not corrected it."""
    found = IncomingWav.of(Pushback(io.BytesIO(wav(noise, size))))
    assert found is not None
    np.testing.assert_allclose(np.concatenate(list(found.blocks()), axis=1), noise, atol=1 / 32768)


def test_parts_behind_the_samples_are_not_heard(noise):
    found = IncomingWav.of(Pushback(io.BytesIO(wav(noise, 80000, b"LIST" + struct.pack("<I", 4) + b"INFO"))))
    assert found is not None
    assert sum(block.shape[1] for block in found.blocks()) == 20000


def test_a_wav_that_is_cut_short_is_an_error(noise):
    found = IncomingWav.of(Pushback(io.BytesIO(wav(noise, 96000))))
    assert found is not None
    with pytest.raises(AudioError, match=r"0\.500 s are missing"):
        list(found.blocks())


def test_what_is_no_such_wav_is_read_again_from_its_start(tone):
    tone("a.flac")
    with open("a.flac", "rb") as file:
        data = file.read()
    pipe = Pushback(io.BytesIO(data))
    assert IncomingWav.of(pipe) is None
    assert pipe.read(len(data) + 9) == data


def test_the_first_stems_are_there_before_the_input_ends():
    """The real command and a real network: the writer keeps its end open until it has read."""
    time = np.arange(30 * RATE) / RATE
    samples = (0.3 * np.sin(2 * np.pi * 220 * time))[None].astype(np.float32)
    form = LiveFormat(RATE)
    words = [sys.executable, "-m", "unbraid", "separate", "-", "-m", "music-2", "--stems", "vocals", "-o", "-", "-q"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdin
        assert process.stdout
        said = threading.Thread(target=process.stdin.write, args=(form.header() + form.encoded(samples),))
        said.start()  # both pipes hold less than that
        early = process.stdout.read(44 + 4 * RATE)  # a second of float32 beyond the header, while the pipe is open
        closing = threading.Thread(target=lambda: (said.join(), process.stdin.close()))
        closing.start()
        rest = process.stdout.read()
        assert process.wait() == 0
    whole = audio.read(io.BytesIO(early + rest))[0]
    assert whole.shape == samples.shape


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--raw",), "--raw takes the whole recording at once"),
        (("--start", "0:00.1"), "an excerpt, a track or a format of its own was asked for"),
    ],
)
def test_what_waits_for_the_end_says_why(unbraid_command, tone, here, words, reason):
    tone("a.wav")
    outcome = unbraid_command(
        "separate", "-", "-m", "music-2", "--stems", "vocals", "-o", "-", *words, stdin=(here / "a.wav").read_bytes()
    )
    assert outcome.code == 0
    assert f"standard input is read to its end first: {reason}." in outcome.err


def test_blocks_may_be_arrays_as_they_come(noise):
    import unbraid

    with unbraid.Separator("music-2") as separator:
        whole = separator(noise, RATE)
        pieces = (noise[:, start : start + 777] for start in range(0, noise.shape[1], 777))
        blocks = list(separator.blocks(pieces, sample_rate=RATE))
        for stem in whole:
            np.testing.assert_allclose(
                np.concatenate([block[stem] for block in blocks], axis=1), whole[stem], atol=1e-5
            )
        with pytest.raises(unbraid.UsageError, match="needs its sample_rate"):
            separator.blocks(iter([noise]))
        with pytest.raises(unbraid.AudioError, match="no blocks of audio"):
            list(separator.blocks(iter([]), sample_rate=RATE))
        with pytest.raises(unbraid.AudioError, match="1 channels, the first one 2"):
            list(separator.blocks(iter([noise, noise[:1]]), sample_rate=RATE))


def test_arrays_that_are_read_twice_are_kept_on_disk(noise, here):
    import unbraid

    with unbraid.Separator("music-2", wiener=True) as separator:
        assert separator.passes == 2
        blocks = list(separator.blocks(iter(np.split(noise, 4, axis=1)), sample_rate=RATE))
        np.testing.assert_allclose(
            sum(np.concatenate([block[stem] for block in blocks], axis=1) for stem in blocks[0]), noise, atol=1e-4
        )
    assert list((here.parent / "tmp").iterdir()) == []
