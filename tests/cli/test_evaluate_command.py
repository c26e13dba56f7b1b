"""`unbraid evaluate` from the dataset to the report: what it writes, what it refuses, and nothing of it by half."""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import unbraid.evaluation.evaluators
from unbraid import audio

FILES = ["mixtures.csv", "report.html", "summary.json"]


@pytest.fixture(autouse=True)
def without_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take seconds, so one test of each kind of pages draws them."""
    if request.node.name not in ("test_it_writes_a_report_a_table_and_a_summary", "test_songs_get_the_same_folder"):
        monkeypatch.setattr("unbraid.tasks.pages.plots.available", lambda: False)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without pictures, which take most of their time."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three mixtures of two voices as the scripts of WSJ0-2mix would write them."""
    random = np.random.default_rng(0)
    top = tmp_path / "tiny2mix"
    for number in range(3):
        voices = random.normal(0, 0.1, (2, 4000)).astype(np.float32)
        for place, samples in zip(("mix", "s1", "s2"), (voices.sum(0), *voices), strict=True):
            path = top / "2speakers/wav8k/min/tt" / place / f"01a_0.5_02b_-0.5-{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, samples[None], 8000, audio.choose_format("wav", subtype="32f"))
    return top


@pytest.fixture
def below(here: Path):
    """Everything below the current folder, folders and hidden ones too."""
    return lambda: sorted(path.relative_to(here).as_posix() for path in here.rglob("*"))


def test_it_writes_a_report_a_table_and_a_summary(unbraid_command, speech_folder, dataset, below, tmp_path):
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--metrics", "si-sdr,sdr")
    folder = "evaluation/tiny-speech-tiny2mix-test"
    assert (outcome.code, outcome.err) == (0, "")
    assert below() == ["evaluation", folder, *(f"{folder}/{name}" for name in FILES)]
    assert outcome.out.startswith("tiny-speech on tiny2mix, split test: 3 mixtures of 2 voices, 0.0 min at 8000 Hz\n")
    assert outcome.out.endswith(f"report: {Path(folder, 'report.html')}\n")
    rows = list(csv.DictReader(Path(folder, "mixtures.csv").read_text(encoding="utf-8").splitlines()))
    summary = json.loads(Path(folder, "summary.json").read_text())
    gains = [float(row["si_sdr_zero_mean_db_improvement"]) for row in rows]
    assert len(gains) == 3
    assert summary["scores"][0]["improvement"]["mean"] == pytest.approx(np.mean(gains), abs=1e-3)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.usefixtures("plain")
def test_json_is_the_summary_and_the_place(unbraid_command, speech_folder, dataset, here):
    words = ("--metrics", "si-sdr", "--limit", 2, "--json", "--out", "x/y", "--precision", "float32", "--threads", 1)
    outcome = unbraid_command("evaluate", speech_folder, dataset, *words)
    assert (outcome.code, outcome.err) == (0, "")
    told = json.loads(outcome.out)
    assert (told["mixtures"], told["threads"], told["report"]) == (2, 1, str(Path("x/y/report.html")))
    assert [score["metric"] for score in told["scores"]] == ["SI-SDR"]
    assert told | {"report": 0} == json.loads((here / "x/y/summary.json").read_text()) | {"report": 0}


@pytest.mark.usefixtures("plain")
def test_an_earlier_run_is_replaced_only_on_request(unbraid_command, speech_folder, dataset, below, here):
    words = ("evaluate", speech_folder, dataset, "--metrics", "si-sdr", "--out", "x", "--quiet")
    assert unbraid_command(*words).code == 0
    (here / "x/mixtures.csv").write_text("old")
    (here / "x/mine.txt").write_text("mine")
    again = unbraid_command(*words)
    assert again.code == 2
    assert again.errors == ["error: x exists already; choose another place with --out, or use --overwrite."]
    assert (here / "x/mixtures.csv").read_text() == "old"
    outcome = unbraid_command(*words, "--overwrite")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert (here / "x/mixtures.csv").read_text().startswith("name,seconds,")
    assert below() == ["x", *(f"x/{name}" for name in sorted([*FILES, "mine.txt"]))]


@pytest.mark.usefixtures("plain")
def test_a_mixture_that_fails_is_named_and_the_others_are_scored(unbraid_command, speech_folder, dataset, here):
    next(dataset.rglob("s2/*-1.wav")).write_bytes(b"not audio")
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--metrics", "si-sdr", "--out", "x", "--json")
    assert outcome.code == 1
    assert len(outcome.errors) == 1
    assert outcome.errors[0].startswith("error: 01a_0.5_02b_-0.5-1: ")
    told = json.loads(outcome.out)
    assert (told["mixtures"], told["failed"]) == (2, ["01a_0.5_02b_-0.5-1"])
    assert "<li>01a_0.5_02b_-0.5-1: " in (here / "x/report.html").read_text(encoding="utf-8")


def test_where_all_fail_nothing_is_written(unbraid_command, speech_folder, dataset, below):
    for path in dataset.rglob("s2/*.wav"):
        path.write_bytes(b"not audio")
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--metrics", "si-sdr")
    assert (outcome.code, outcome.out, below()) == (1, "", [])
    assert outcome.errors[-1] == "error: None of the 3 mixtures could be scored; nothing is written."


def test_an_interrupt_leaves_nothing(unbraid_command, speech_folder, dataset, below, monkeypatch):
    done = []

    def second_time_unlucky(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(separate_and_score(*arguments))
        return done[0]

    separate_and_score = unbraid.evaluation.evaluators.separate_and_score
    monkeypatch.setattr(unbraid.evaluation.evaluators, "separate_and_score", second_time_unlucky)
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--metrics", "si-sdr")
    assert (outcome.code, outcome.errors, below()) == (130, ["error: interrupted."], [])
    assert len(done) == 1


@pytest.mark.usefixtures("plain")
def test_noise_makes_it_harder(unbraid_command, speech_folder, dataset, tmp_path):
    noises = tmp_path / "noises"
    noises.mkdir()
    hiss = np.random.default_rng(1).normal(0, 0.1, (1, 9000)).astype(np.float32)
    audio.write(noises / "hiss.wav", hiss, 8000, audio.choose_format("wav", subtype="32f"))
    (noises / "manifest.csv").write_text("path,split\nhiss.wav,train\n")
    words = ("evaluate", speech_folder, dataset, "--metrics", "si-sdr", "--json", "--noise", noises, "--snr", 0)
    refused = unbraid_command(*words)
    assert (refused.code, refused.out.startswith('{"error": ')) == (2, True)
    told = json.loads(unbraid_command(*words, "--noise-split", "train").out)
    assert told["noise"] == "noise of noises, split train, at 0 dB SNR"
    assert told["scores"][0]["mixture"]["mean"] == pytest.approx(-4.8, abs=0.4)  # 0.1² of voice in 3 × 0.1² … of all
    assert Path(told["report"]).parent.name == "tiny-speech-tiny2mix-test-noises-0dB"


def test_missing_packages_are_told_once(unbraid_command, speech_folder, dataset, monkeypatch, below):
    for package in ("pesq", "pystoi", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--limit", 1)
    assert outcome.code == 0
    assert [line.split(" ")[0] for line in outcome.errors] == ["PESQ-NB", "STOI"]
    assert "PESQ" not in outcome.out
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--metrics", "pesq", "--out", "other")
    assert (outcome.code, "other" in below()) == (2, False)
    assert outcome.errors == [
        "error: PESQ-NB needs the package pesq, which is not installed; get it with `pip install pesq`."
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--metrics", "snr"], "There is no metric 'snr'; choose among si-sdr, sdr, pesq, stoi."),
        (["--limit", "0"], "A limit of 0 mixtures is not possible; give 1 or more."),
        (["--threads", "0"], "0 threads are not possible; give 1 or more."),
        (["--snr", "5"], "--noise and --snr belong together: a folder of noises, and how many dB below the voices."),
        (["--noise-split", "a"], "--noise-split says which clips of --noise are used; give a folder of noises too."),
        (["--noise", "nowhere", "--snr", "5"], "nowhere is not a folder; name one that holds a dataset."),
        (["--out", "file"], "file is a file, so no folder can be there; choose another place with --out."),
        (["--out", "file/x"], "file is a file, so no folder can be there; choose another place with --out."),
    ],
)
def test_requests_that_cannot_be_met(unbraid_command, speech_folder, dataset, here, below, words, sentence):
    (here / "file").touch()
    outcome = unbraid_command("evaluate", speech_folder, dataset, *words)
    assert (outcome.code, outcome.out, below()) == (2, "", ["file"])
    assert outcome.errors[-1] == f"error: {sentence}"  # where pesq is absent, that is said first


def test_datasets_and_models_that_will_not_do(unbraid_command, speech_folder, music_folder, dataset, below):
    music = unbraid_command("evaluate", music_folder, dataset)
    assert (music.code, len(music.errors)) == (2, 1)
    assert "holds no songs in a layout that is known" in music.err
    nowhere = unbraid_command("evaluate", speech_folder, "nowhere")
    assert (nowhere.code, nowhere.errors) == (
        2, ["error: nowhere is not a folder; name one that holds a dataset, or a CSV of pairs."],
    )  # fmt: skip
    assert unbraid_command("evaluate", "no-such-model", dataset).code == 1
    assert unbraid_command("evaluate", speech_folder, dataset, "--split", "no").code == 2
    assert unbraid_command("evaluate", speech_folder, dataset, "--layout", "no").code == 2
    assert below() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_refused_before_work(unbraid_command, speech_folder, dataset, here):
    (here / "locked").mkdir(mode=0o500)
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--out", "locked/x")
    assert outcome.code == 1
    assert outcome.err.startswith("error: locked cannot be written: Permission denied. ")


# --- songs


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two songs of a second as folders of stems, the second one mono and without drums."""
    top = tmp_path / "tinysongs"
    for name, channels, parts in (("one", 2, ("vocals", "drums", "bass")), ("two", 1, ("vocals", "other"))):
        for seed, part in enumerate(parts):
            samples = np.random.default_rng(seed).normal(0, 0.1, (channels, 8000)).astype(np.float32)
            path = top / "test" / name / f"{part}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, samples, 8000, audio.choose_format("wav", subtype="32f"))
    return top


def test_songs_get_the_same_folder(unbraid_command, music_folder, songs, below, tmp_path):
    outcome = unbraid_command("evaluate", music_folder, songs)
    folder = "evaluation/tiny-music-tinysongs-test"
    assert (outcome.code, outcome.err) == (0, "")
    assert below() == [
        "evaluation",
        folder,
        *(f"{folder}/{name}" for name in ("report.html", "songs.csv", "summary.json")),
    ]
    assert outcome.out.startswith("tiny-music on tinysongs, split test: 2 songs, 0.0 min at 8000 Hz, soft masks\n")
    assert "drums: 1 of 2 songs left out (1 without it)" in outcome.out
    rows = list(csv.DictReader(Path(folder, "songs.csv").read_text(encoding="utf-8").splitlines()))
    summary = json.loads(Path(folder, "summary.json").read_text(encoding="utf-8"))
    gains = [float(row["usdr_db_improvement"]) for row in rows if row["stem"] == "vocals"]
    assert len(gains) == 2
    assert summary["scores"][0]["improvement"]["mean"] == pytest.approx(np.mean(gains), abs=1e-3)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.usefixtures("plain")
def test_songs_with_a_wiener_filter_and_bss_eval(unbraid_command, music_folder, songs):
    words = ("--metrics", "usdr,museval", "--wiener", "--limit", 1, "--json", "--layout", "stems")
    told = json.loads(unbraid_command("evaluate", music_folder, songs, *words).out)
    assert (told["songs"], told["wiener"], told["bss_eval_frames"]) == (1, 1, {"scored": 1, "all": 1})
    assert [score["metric"] for score in told["scores"]] == ["uSDR", "SDR", "ISR", "SIR", "SAR"] * 2
    assert Path(told["report"]).parent.name == "tiny-music-tinysongs-test-wiener-1-first-1"


@pytest.mark.usefixtures("plain")
def test_a_song_that_fails_is_named_and_the_others_are_scored(unbraid_command, music_folder, songs, below):
    (songs / "test/one/bass.wav").write_bytes(b"not audio")
    outcome = unbraid_command("evaluate", music_folder, songs, "--json")
    assert (outcome.code, len(outcome.errors)) == (1, 1)
    assert outcome.errors[0].startswith("error: one: ")
    assert json.loads(outcome.out)["failed"] == ["one"]
    (songs / "test/two/vocals.wav").write_bytes(b"not audio")
    outcome = unbraid_command("evaluate", music_folder, songs, "--out", "x")
    assert (outcome.code, outcome.out, "x" in below()) == (1, "", False)
    assert outcome.errors[-1] == "error: None of the 2 songs could be scored; nothing is written."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--metrics", "pesq"], "There is no metric 'pesq' for music models; choose among usdr, museval."),
        (["--metrics", ""], "No metric is named; choose among usdr, museval."),
        (
            ["--condition", "noisy", "--mode", "max"],
            "--condition, --mode can be had with speech models only, and tiny-music is a music model; leave that out.",
        ),
        (
            ["--noise", ".", "--snr", "5"],
            "--noise and --snr can be had with speech models only, and tiny-music is a music model; leave that out.",
        ),
        (["--limit", "0"], "A limit of 0 mixtures is not possible; give 1 or more."),
        (
            ["--layout", "wsj0mix"],
            "There is no layout 'wsj0mix' of songs; choose auto, musdb18, musdb18hq, medleydb, slakh, stems, spleeter.",
        ),
    ],
)
def test_requests_that_do_not_fit_songs(unbraid_command, music_folder, songs, below, words, sentence):
    outcome = unbraid_command("evaluate", music_folder, songs, *words)
    assert (outcome.code, outcome.out, below()) == (2, "", [])
    assert outcome.errors == [f"error: {sentence}"]


def test_a_wiener_filter_does_not_fit_speech(unbraid_command, speech_folder, dataset, below):
    outcome = unbraid_command("evaluate", speech_folder, dataset, "--wiener")
    assert (outcome.code, below()) == (2, [])
    assert outcome.errors == [
        "error: --wiener can be had with music models only, and tiny-speech is a speech model; leave that out."
    ]
