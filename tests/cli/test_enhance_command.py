"""`unbraid enhance`: a file or a folder for the voice, what is taken away at will, and refusals in words."""

import json

import numpy as np
import pytest
from cli_fakes import FakeSeparator

from unbraid import audio
from unbraid.cli.options import FORMATS

MODEL = ("-m", "clean")


def test_a_recording_becomes_a_file_beside_it(unbraid_command, tone, tree):
    noisy = tone("noisy.wav", channels=2, rate=44100)
    outcome = unbraid_command("enhance", "noisy.wav", *MODEL)
    assert (outcome.code, outcome.err) == (0, "")
    assert tree() == [".noisy-unbraid.json", "noisy-speech.wav", "noisy.wav"]
    voice, rate = audio.read("noisy-speech.wav")
    assert (rate, voice.shape) == (44100, noisy.shape)
    assert np.abs(voice - noisy / 2).max() <= 0.5 / 32768


@pytest.mark.parametrize("name", ["clean.flac", "new/clean.wav", "{odd}.wav"])
def test_a_file_is_written_where_it_is_said(unbraid_command, tone, tree, name):
    noisy = tone("noisy.wav")
    assert unbraid_command("enhance", "noisy.wav", "-o", name, *MODEL).code == 0
    assert name in tree()
    assert np.abs(audio.read(name)[0] - noisy / 2).max() <= 0.5 / 32768


def test_many_go_to_a_folder_and_a_failing_one_stops_no_other(unbraid_command, tone, tree, here):
    tone("a.wav")
    tone("b.mp3")
    (here / "bad.wav").write_bytes(b"RIFF")
    outcome = unbraid_command("enhance", "a.wav", "bad.wav", "b.mp3", "-o", "out", "-f", "flac", *MODEL)
    assert outcome.code == 1
    assert {"out/a-speech.flac", "out/b-speech.flac"} <= set(tree())
    assert "1 of 3 inputs failed" in outcome.out


def test_recordings_of_one_name_are_told_apart(unbraid_command, tone, tree):
    tone("a.wav")
    tone("a.mp3")
    words = ("enhance", "a.wav", "a.mp3", "-o", "out", *MODEL)
    refused = unbraid_command(*words)
    assert (refused.code, refused.errors[0].endswith("{name} or {parent} in --template.")) == (2, True)
    assert unbraid_command(*words, "--template", "{name}-{stem}.{ext}").code == 0
    assert {"out/a.wav-speech.wav", "out/a.mp3-speech.wav"} <= set(tree())


def test_what_is_taken_away_can_be_kept(unbraid_command, tone, tree, monkeypatch):
    asked = []
    monkeypatch.setattr(FakeSeparator, "stems", lambda self: asked.append(self.options) or ("speech", "residual"))
    tone("noisy.wav")
    assert unbraid_command("enhance", "noisy.wav", "--keep-residual", "--strength", 0.5, *MODEL).code == 0
    assert {"noisy-residual.wav", "noisy-speech.wav"} <= set(tree())
    assert asked[0].strength == 0.5


def test_standard_output_and_json(unbraid_command, tone):
    noisy = tone("noisy.wav")
    outcome = unbraid_command("enhance", "noisy.wav", "-o", "-", "-q", *MODEL)
    assert outcome.code == 0
    assert outcome.bytes.startswith(b"RIFF")
    assert len(outcome.bytes) > 4 * noisy.size
    told = json.loads(unbraid_command("enhance", "noisy.wav", "--json", *MODEL).out)
    assert told["files"][0]["outputs"] == {"speech": "noisy-speech.wav"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav", "-m", "nothing"], "No model or folder is called 'nothing'."),
        (["a.wav", "-o", "c.wav", "--keep-residual", *MODEL], "--keep-residual writes two files, and c.wav is one; "
         "name a folder with -o."),
        (["a.wav", "-o", "c.wav", "--template", "{stem}.{ext}", *MODEL], "--template names files in a folder, and "
         "c.wav is none; name a folder with -o."),
        (["a.wav", "b.wav", "-o", "c.wav", *MODEL], "c.wav is one file for 2 inputs; name a folder with -o."),
        (["a.wav", "-o", "c.wav", "-f", "flac", *MODEL], "c.wav ends in wav, and --format is flac; leave one of them "
         "out."),
        (["a.wav", "-o", "c.pdf", *MODEL], "c.pdf does not end like an audio file; end it in "
         f".{', .'.join(FORMATS)}, or in / if it is a folder."),
        (["a.wav", "-o", "c.mp4", *MODEL], "c.mp4 does not end like an audio file; end it in "
         f".{', .'.join(FORMATS)}, or in / if it is a folder."),
        (["a.wav", "-o", "-", "--json", *MODEL], "--json and -o - both write to standard output; choose one of them."),
        (["absent.wav", *MODEL], "absent.wav does not exist. Name an audio file that does."),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(unbraid_command, tone, tree, words, message):
    for name in ("a.wav", "b.wav"):
        tone(name)
    outcome = unbraid_command("enhance", *words)
    assert outcome.code in (1, 2)
    assert outcome.errors == [f"error: {message}"]
    assert tree() == ["a.wav", "b.wav"]


@pytest.mark.parametrize("folder", ["clean", "v1.2", "my.voices/", "as.wav/"])
def test_what_ends_like_no_file_is_a_folder(unbraid_command, tone, tree, folder):
    tone("a.wav")
    assert unbraid_command("enhance", "a.wav", "-o", folder, *MODEL).code == 0
    assert f"{folder.rstrip('/')}/a-speech.wav" in tree()


def test_models_without_speech_are_refused(unbraid_command, tone):
    tone("a.wav")
    outcome = unbraid_command("enhance", "a.wav", "-m", "music-2")
    assert outcome.code == 2
    assert outcome.err.startswith("error: music-2 has no stem 'speech', only vocals, accompaniment; it is in ")


def test_what_is_there_is_not_written_over(unbraid_command, tone):
    tone("noisy.wav")
    before = tone("clean.wav")
    outcome = unbraid_command("enhance", "noisy.wav", "-o", "clean.wav", *MODEL)
    assert outcome.code != 0
    np.testing.assert_array_equal(audio.read("clean.wav")[0], before)
    assert unbraid_command("enhance", "noisy.wav", "-o", "clean.wav", "--overwrite", *MODEL).code == 0
