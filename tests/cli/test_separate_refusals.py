"""Bad input and requests that cannot be met: one sentence, the right exit code, nothing half-written."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

from unbraid import audio
from unbraid.tasks.separation.separator import Separator

REFUSED = [
    (["-m", "speech", "--stems", "vocals"], "speech has no stem 'vocals', only voice1, voice2; it is in "),
    (["--stems", "xyz"], "speech has no stem 'xyz', only voice1, voice2; no model has it."),
    (["--stems", ","], "--stems names no stem; give names with commas between them, or leave it out for all."),
    (["--format", "xyz"], "There is no output format 'xyz'; choose wav, flac, ogg, opus, mp3 or m4a."),
    (["--subtype", "8"], "There is no subtype '8' in wav; choose 16, 24 or 32f."),
    (["--start", "-1"], "A start of -1 s is not possible; it must be 0 or more."),
    (["--start", "nan"], "A start of nan s is not possible; it must be 0 or more."),
    (["--duration", "0"], "A duration of 0 s is not possible; it must be more than 0."),
    (["--speakers", "0"], "--speakers counts from 1, and the fewest come first, such as 2-6, not '0'."),
    (["--speakers", "5-2"], "--speakers counts from 1, and the fewest come first, such as 2-6, not '5-2'."),
    (["--speakers", "2-x"], "--speakers takes a number, or the fewest and most, such as 2-6, not '2-x'."),
    (["--template", "{stem}.{foo}"], "The template '{stem}.{foo}' has an unknown field {foo}; its fields are {track}"),
    *(
        (["--template", f"{field}/{{stem}}.{{ext}}"],
         f"The template '{field}/{{stem}}.{{ext}}' gives track a format, conversion, attribute or index; its fields "
         "are just {track}, {stem}, {ext}, {name}, {parent}, {model}.")
        for field in ("{track:>9}", "{track:}", "{track!r}", "{track.upper}", "{track[0]}", "{track:{stem}}")
    ),
    (["--template", "{}/{stem}.{ext}"], "The template '{}/{stem}.{ext}' has an unknown field {}; its fields are "),
    (["--template", "{stem"], "The template '{stem' cannot be read (expected '}' before end of string); its fields "),
    (["--template", "{stem}"], "The template '{stem}' must end in .{ext}, so that files are called what they are."),
    (["--template", "../{stem}.{ext}"], "The template '../{stem}.{ext}' must stay below the output folder, with '/' "),
    (["--template", "/{stem}.{ext}"], "The template '/{stem}.{ext}' must stay below the output folder, with '/' "),
    (["--template", "x.{ext}"], "All stems of a.wav would be written to x.wav; put {stem} into --template."),
    (["--template", "{track}.wav", "--stems", "voice1"], "a.wav would be written over the input a.wav; choose "),
    (["-o", "a.wav"], "a.wav is a file, so no folder of that name can be made; choose another place with -o."),
    (["-o", "-"], "-o - writes one float32 WAV to standard output, so name one stem: --stems voice1 (or voice2)."),
    (["-o", "-", "b.wav"], "-o - writes one float32 WAV to standard output, so it takes one input, not 2."),
    (["-o", "-", "--stems", "voice1", "-f", "flac"], "-o - writes one float32 WAV to standard output; leave --form"),
    (["-o", "-", "--json"], "--json and -o - both write to standard output; choose one of them."),
    (["-", "--resume"], "--resume needs files: whether standard input is what it was cannot be told."),
    (["--template", "x" * 260 + "{stem}.{ext}"], f"The name {'x' * 40}… for a.wav… is longer than the 255 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_met_is_refused_before_work(unbraid_command, tone, tree, words, message):
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", *words)
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert outcome.errors[0].startswith(f"error: {message}")
    assert tree() == ["a.wav"]


def test_options_that_do_not_exist_are_usage_errors(unbraid_command):
    for words in (["a.wav", "--nonsense"], []):
        outcome = unbraid_command("separate", *words)
        assert (outcome.code, outcome.out) == (2, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["separate", "a.wav", "--nonsense", "--json"], "No such option: --nonsense"),
        (["separate", "--json"], "Missing argument"),
        (["separate", "--json", "a.wav", "--threads", "many"], "Invalid value for '--threads'"),
        (["models", "--json", "--nonsense"], "No such option: --nonsense"),
        (["doctor", "--json", "--nonsense"], "No such option: --nonsense"),
        (["seperate", "a.wav", "--json"], "No such command 'seperate'"),
    ],
)
def test_options_that_cannot_be_parsed_are_json_where_it_was_asked_for(unbraid_command, words, message):
    outcome = unbraid_command(*words)
    assert outcome.code == 2
    found = json.loads(outcome.out)
    assert found.keys() == {"error"}
    assert found["error"].startswith(message)
    assert "Error" in outcome.err


def test_json_behind_two_dashes_is_a_file(unbraid_command):
    outcome = unbraid_command("separate", "--nonsense", "--", "--json")
    assert (outcome.code, outcome.out) == (2, "")


def test_a_device_that_is_not_here_is_a_request_that_cannot_be_met(unbraid_command, tone, tree, monkeypatch):
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", Separator)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", "--device", "cuda", "--json")
    assert outcome.code == 2
    assert outcome.errors[0].startswith("error: Device 'cuda' was asked for, but this ONNX Runtime has only cpu. For ")
    assert outcome.errors == [f"error: {json.loads(outcome.out)['error']}"]
    assert unbraid_command("separate", "a.wav", "--device", "tpu").code == 2
    assert tree() == ["a.wav"]


def test_an_unknown_model_is_refused(unbraid_command, tone, tree):
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", "-m", "nope", "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out)["error"] == "No model or folder is called 'nope'."
    assert tree() == ["a.wav"]


def test_two_inputs_for_one_output_are_refused_before_work(unbraid_command, tone, tree):
    tone("x.wav")
    tone("x.flac")
    outcome = unbraid_command("separate", "x.wav", "x.flac")
    assert (outcome.code, tree()) == (2, ["x.flac", "x.wav"])
    assert outcome.errors == [
        "error: x.wav and x.flac would both be written to x/voice1.wav; give each a run with its own -o, "
        "or tell them apart with {name} or {parent} in --template."
    ]
    assert unbraid_command("separate", "x.wav", "x.flac", "--template", "{track}/{name}-{stem}.{ext}").code == 0


def test_the_same_file_named_twice_is_one_input(unbraid_command, tone):
    tone("x.wav")
    assert len(json.loads(unbraid_command("separate", "x.wav", "./x.wav", "--json").out)["files"]) == 1


def test_outputs_are_overwritten_only_on_request(unbraid_command, tone, here):
    tone("a.wav")
    (here / "a").mkdir()
    (here / "a" / "voice2.wav").write_text("precious")
    (here / "a" / "notes.txt").write_text("mine")
    outcome = unbraid_command("separate", "a.wav")
    assert outcome.code == 2
    assert outcome.errors == [
        "error: a/voice2.wav exists already; use --overwrite to replace it, or --resume to go on where a run stopped."
    ]
    outcome = unbraid_command("separate", "a.wav", "--resume")
    assert outcome.errors == [
        "error: a/voice2.wav exists, and no record says that unbraid made it; use --overwrite to replace it."
    ]
    assert sorted(path.name for path in (here / "a").iterdir()) == ["notes.txt", "voice2.wav"]
    assert unbraid_command("separate", "a.wav", "--overwrite").code == 0
    assert audio.probe("a/voice2.wav").frames == 4000
    assert (here / "a" / "notes.txt").read_text() == "mine"


def _broken(here, tone) -> None:
    tone("good.wav")
    tone("whole.wav")
    (here / "empty.wav").touch()
    (here / "text.wav").write_text("this is no audio")
    (here / "cut.wav").write_bytes((here / "whole.wav").read_bytes()[:4000])
    (here / "whole.wav").unlink()
    samples = np.zeros((1, 100), np.float32)
    audio.write("headless.wav", samples, 8000, audio.choose_format("wav"))
    (here / "headless.wav").write_bytes((here / "headless.wav").read_bytes()[:20])


def test_a_bad_file_fails_loudly_and_the_others_go_on(unbraid_command, tone, tree, here):
    _broken(here, tone)
    names = ["missing.wav", "empty.wav", "text.wav", "cut.wav", "headless.wav", "good.wav"]
    outcome = unbraid_command("separate", *names)
    assert outcome.code == 1
    assert len(outcome.errors) == 5
    for name, line in zip(names, outcome.errors, strict=False):
        assert line.startswith(f"error: {name}")
        assert line.endswith(".")
    assert "5 of 6 inputs failed" in outcome.out
    assert [name for name in tree() if "/" in name] == ["good/.unbraid.json", "good/voice1.wav", "good/voice2.wav"]


def test_a_failure_half_way_leaves_nothing(unbraid_command, tree, monkeypatch):
    samples = np.zeros((1, 8000), np.float32)
    samples[:, 5000] = 0.123  # the fake fails here
    audio.write("a.wav", samples, 8000, audio.choose_format("wav"))
    outcome = unbraid_command("separate", "a.wav")
    assert outcome.code == 1
    assert outcome.errors == [
        "error: a.wav: unexpected RuntimeError: the fake dislikes this file. This is a bug; set UNBRAID_DEBUG=1 to see "
        "where it comes from, and report it."
    ]
    assert tree() == ["a.wav"]
    monkeypatch.setenv("UNBRAID_DEBUG", "1")
    assert "Traceback (most recent call last)" in unbraid_command("separate", "a.wav").err


def test_samples_that_are_no_numbers_are_refused(unbraid_command, tree):
    samples = np.zeros((1, 8000), "<f4")
    audio.write("a.wav", samples, 8000, audio.choose_format("wav"))
    with open("a.wav", "r+b") as file:
        file.seek(-400, os.SEEK_END)
        file.write(np.float32("nan").tobytes())
    outcome = unbraid_command("separate", "a.wav")
    assert outcome.code == 1
    assert outcome.errors == [
        "error: a.wav holds NaN at 0.988 s (channel 1). Repair it, or choose start and duration so that it is left out."
    ]
    assert tree() == ["a.wav"]


def test_a_folder_without_audio_is_refused(unbraid_command, tone, here):
    tone("albums/a/x.wav")
    outcome = unbraid_command("separate", "albums")
    assert (outcome.code, outcome.errors) == (
        2,
        ["error: There are no audio files in albums; --recursive searches its sub-folders too."],
    )


def test_a_disk_that_is_too_small_is_noticed_before_work(unbraid_command, tone, tree, monkeypatch):
    tone("a.wav")
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000))
    outcome = unbraid_command("separate", "a.wav")
    assert outcome.code == 2
    assert outcome.errors == [
        "error: The stems need 40 kB on the disk of . while they are written, and 20 kB are free: 20 kB are missing. "
        "Free some space, choose another disk with -o, or write fewer stems with --stems."
    ]
    assert tree() == ["a.wav"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(unbraid_command, tone, here):
    tone("a.wav")
    (here / "locked").mkdir(mode=0o500)
    outcome = unbraid_command("separate", "a.wav", "-o", "locked")
    assert outcome.code == 1
    assert "Permission denied. Choose a folder you may write to with -o." in outcome.err


def test_raising_on_the_last_rename_restores_what_was_there(unbraid_command, tone, here, monkeypatch, tree):
    tone("a.wav")
    (here / "a").mkdir()
    for stem in ("voice1", "voice2"):
        (here / "a" / f"{stem}.wav").write_text(f"old {stem}")
    replace = os.replace

    def failing(source, destination):
        if str(destination).endswith("voice2.wav") and "track" in str(source):
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", failing)
    outcome = unbraid_command("separate", "a.wav", "--overwrite")
    assert outcome.code == 1
    assert "No space left on device. Free some space, or choose another folder with -o." in outcome.err
    assert tree() == ["a.wav", "a/voice1.wav", "a/voice2.wav"]
    assert (here / "a" / "voice1.wav").read_text() == "old voice1"
    assert (here / "a" / "voice2.wav").read_text() == "old voice2"
