"""`unbraid separate` on files that are as they should be: where stems go and what they hold."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_fakes import WEIGHTS, FakeSeparator

from unbraid import __version__, audio
from unbraid.hub.defaults import DEFAULTS


def test_a_recording_becomes_a_folder_with_a_file_per_stem(unbraid_command, tone, tree):
    mixture = tone("interview.wav")
    outcome = unbraid_command("separate", "interview.wav")
    assert outcome.code == 0
    assert tree() == ["interview.wav", "interview/.unbraid.json", "interview/voice1.wav", "interview/voice2.wav"]
    for stem, weight in WEIGHTS["speech"].items():
        samples, rate = audio.read(f"interview/{stem}.wav")
        assert rate == 8000
        assert samples.shape == mixture.shape
        assert np.abs(samples - weight * mixture).max() <= 0.5 / 32768
    assert "interview.wav -> interview/voice1.wav interview/voice2.wav (0.5 s in " in outcome.out
    assert "speech on cpu (no GPU provider is installed)" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "opus", "mp3", "m4a"])
def test_every_format_keeps_rate_channels_and_length(unbraid_command, tone, extension):
    mixture = tone("song.wav", channels=2, rate=48000)
    assert unbraid_command("separate", "song.wav", "-m", "music-2", "-f", extension).code == 0
    for stem in WEIGHTS["music-2"]:
        samples, rate = audio.read(f"song/{stem}.{extension}")
        assert (rate, samples.shape) == (48000, mixture.shape)


def test_bit_depth_is_the_inputs_unless_it_is_said(unbraid_command, tone):
    tone("song.wav")
    unbraid_command("separate", "song.wav")
    unbraid_command("separate", "song.wav", "--subtype", "24", "-o", "deep")
    unbraid_command("separate", "song.wav", "--subtype", "32f", "-o", "float")
    assert audio.probe("song/voice1.wav").bits == 16
    assert audio.probe("deep/song/voice1.wav").bits == 24
    assert audio.probe("float/song/voice1.wav").is_float


def test_tags_are_carried_over(unbraid_command):
    samples = np.zeros((1, 800), np.float32)
    audio.write("song.flac", samples, 8000, audio.choose_format("flac"), tags={"title": "Größe", "artist": "A"})
    unbraid_command("separate", "song.flac", "-f", "flac")
    assert audio.probe("song/voice1.flac").tags == {"title": "Größe", "artist": "A"}


def test_only_the_stems_asked_for_are_written(unbraid_command, tone, tree):
    tone("song.wav")
    assert unbraid_command("separate", "song.wav", "-m", "music-4", "--stems", "drums, vocals", "-o", "out").code == 0
    assert tree() == ["out/song/.unbraid.json", "out/song/drums.wav", "out/song/vocals.wav", "song.wav"]


def test_residual_is_a_stem_when_it_is_named(unbraid_command, tone, tree):
    tone("song.wav")
    assert unbraid_command("separate", "song.wav", "--stems", "residual").code == 0
    assert "song/residual.wav" in tree()


def test_one_common_gain_keeps_every_stem_from_clipping(unbraid_command, tone):
    mixture = tone("song.wav", level=0.5)
    outcome = unbraid_command("separate", "song.wav", "-m", "loud")
    peak = 4.0 * np.abs(mixture).max()
    assert f"stems turned down by {20 * np.log10(peak):.1f} dB so that none clips" in outcome.out
    vocals, accompaniment = (audio.read(f"song/{stem}.wav")[0] for stem in WEIGHTS["loud"])
    assert np.abs(vocals - 4 * mixture / peak).max() <= 1 / 32768
    assert np.abs(accompaniment + 3 * mixture / peak).max() <= 1 / 32768


def test_float_files_are_never_scaled(unbraid_command, tone):
    mixture = tone("song.wav")
    outcome = unbraid_command("separate", "song.wav", "-m", "loud", "--subtype", "32f", "--json")
    assert np.array_equal(audio.read("song/vocals.wav")[0], 4 * mixture)
    assert json.loads(outcome.out)["files"][0]["gain_db"] == 0


def test_resample_takes_the_nearest_rate_the_format_holds(unbraid_command, tone):
    mixture = tone("song.wav", rate=44100)
    refused = unbraid_command("separate", "song.wav", "-f", "opus")
    assert refused.code == 1
    assert refused.errors == [
        "error: song.wav: opus cannot hold 44100 Hz. Write wav, flac, ogg, mp3 or m4a instead, "
        "or resample to 48000 Hz (--resample)."
    ]
    assert unbraid_command("separate", "song.wav", "-f", "opus", "--resample").code == 0
    samples, rate = audio.read("song/voice1.opus")
    assert rate == 48000
    assert samples.shape == (1, audio.resampled_length(mixture.shape[1], 44100, 48000))


def test_start_and_duration_cut_the_input(unbraid_command, tone):
    mixture = tone("song.wav")
    assert unbraid_command("separate", "song.wav", "--start", "0.1", "--duration", "0.25").code == 0
    samples, _ = audio.read("song/voice1.wav")
    assert np.abs(samples - 0.75 * mixture[:, 800:2800]).max() <= 0.5 / 32768


def test_a_folder_is_searched_and_what_is_not_audio_skipped(unbraid_command, tone, tree, here):
    for name in ("albums/a/x.wav", "albums/b/x.wav", "albums/y.wav"):
        tone(name)
    for name in ("albums/cover.jpg", "albums/.hidden.wav"):
        (here / name).write_bytes(b"no audio")
    outcome = unbraid_command("separate", "albums", "-o", "flat", "--stems", "voice1")
    assert outcome.code == 0
    assert outcome.errors == ["skipped 1 file that is not audio by extension: cover.jpg"]
    assert [name for name in tree() if name.startswith("flat") and name.endswith("wav")] == ["flat/y/voice1.wav"]
    assert unbraid_command("separate", "albums", "--recursive", "-o", "deep", "--stems", "voice1").code == 0
    assert [name for name in tree() if name.startswith("deep") and name.endswith("wav")] == [
        "deep/a/x/voice1.wav",
        "deep/b/x/voice1.wav",
        "deep/y/voice1.wav",
    ]


def test_our_own_outputs_are_not_inputs(unbraid_command, tone):
    tone("x.wav")
    assert unbraid_command("separate", "x.wav").code == 0
    report = json.loads(unbraid_command("separate", ".", "--recursive", "-o", "again", "--json").out)
    assert [file["input"] for file in report["files"]] == ["x.wav"]


ODD = ["ünï 日本 🎵.wav", "[red]bold.wav", "-dash.wav", "a b'c\"d.wav", "{track}.wav", "%s\n.wav", "x" * 200 + ".wav"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_work(unbraid_command, tone, name, here):
    tone(name)
    outcome = unbraid_command("separate", "--", name)
    assert (outcome.code, outcome.err) == (0, "")
    assert (here / name[:-4] / "voice1.wav").is_file()


def test_a_name_that_is_no_text_works(unbraid_command, tone, here):
    tone("plain.wav")
    name = b"latin-\xe9.wav"
    try:
        (here / "plain.wav").rename(Path(str(here)) / name.decode("utf-8", "surrogateescape"))
    except OSError:
        pytest.skip("this file system takes text only")
    outcome = unbraid_command("separate", ".", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["files"][0]["status"] == "done"


def test_a_name_of_dots_stays_below_the_output(unbraid_command, tone, tree):
    tone("in/...wav")
    assert unbraid_command("separate", "in/...wav", "-o", "out").code == 0
    assert "out/__/voice1.wav" in tree()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{stem}/{track}.{ext}", [".unbraid/song.json", "voice1/song.wav", "voice2/song.wav"]),
        ("{track}-{stem}.{ext}", [".song-unbraid.json", "song-voice1.wav", "song-voice2.wav"]),
        (
            "{name}/{model}_{stem}.wav",
            ["song.wav/.speech_unbraid.json", "song.wav/speech_voice1.wav", "song.wav/speech_voice2.wav"],
        ),
    ],
)
def test_templates_always_apply(unbraid_command, tone, tree, template, expected):
    tone("in/song.wav")
    assert unbraid_command("separate", "in/song.wav", "--template", template, "-o", "out").code == 0
    assert [name.removeprefix("out/") for name in tree() if name.startswith("out/")] == expected
    again = unbraid_command("separate", "in/song.wav", "--template", template, "-o", "out", "--resume")
    assert "was done already" in again.out


def test_parent_in_a_template_says_where_sub_folders_go(unbraid_command, tone, tree):
    tone("albums/a/x.wav")
    unbraid_command("separate", "albums", "-r", "--template", "{stem}/{parent}/{track}.{ext}", "-o", "out")
    assert "out/voice1/a/x.wav" in tree()


def test_speakers_choose_among_the_models_at_hand(unbraid_command, tone, monkeypatch):
    from unbraid.hub import names as hub

    tone("talk.wav")
    voices = ("voice1", "voice2", "voice3")
    three = hub.ListedModel("speechbrain/three", "cached", "sepformer", "MIT", 1, voices, 8000, {}, Path("somewhere"))
    others = [entry for entry in hub.entries() if entry.name != "speech"]
    monkeypatch.setitem(DEFAULTS, "separation", "speech-2")
    monkeypatch.setattr(hub, "entries", lambda: others)
    refused = unbraid_command("separate", "talk.wav", "--speakers", "3")
    assert refused.code == 1
    assert refused.errors == [
        "error: No model for 3 speakers is on this machine (published: speechbrain/sepformer-wsj03mix, "
        "speechbrain/sepformer-libri3mix); get one with `unbraid models pull speechbrain/sepformer-wsj03mix`."
    ]
    monkeypatch.setattr(hub, "entries", lambda: [three])
    outcome = unbraid_command("separate", "talk.wav", "--speakers", "3")
    assert outcome.code == 0
    assert "speechbrain/three on cpu" in outcome.out


def test_json_is_one_object_on_standard_output(unbraid_command, tone):
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", "missing.wav", "--json")
    report = json.loads(outcome.out)
    done, failed = report["files"]
    assert outcome.code == 1
    assert (report["version"], report["model"], report["device"]) == (__version__, "speech", "cpu")
    assert (done["input"], done["status"], done["seconds"], done["error"]) == ("a.wav", "done", 0.5, None)
    assert done["outputs"] == {"voice1": "a/voice1.wav", "voice2": "a/voice2.wav"}
    assert done["realtime_factor"] == pytest.approx(0.5 / done["elapsed_seconds"])
    assert (failed["status"], failed["error"]) == (
        "failed",
        "missing.wav does not exist. Name an audio file that does.",
    )


def test_quiet_says_nothing(unbraid_command, tone):
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_the_model_is_loaded_once_for_all_files(unbraid_command, tone):
    tone("a.wav")
    tone("b.wav")
    assert unbraid_command("separate", "a.wav", "b.wav").code == 0
    assert FakeSeparator.made == 1


def test_version_and_module(unbraid_command):
    assert unbraid_command("--version").out == f"unbraid {__version__}\n"


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.wav"])
@pytest.mark.parametrize("ext", ["wav", "flac"])
@pytest.mark.parametrize("subtype", [None, "24"])
def test_stems_have_16_bits_unless_more_are_there_or_asked_for(unbraid_command, tone, name, ext, subtype):
    mixture, bits = tone(name), int(subtype or 16)
    words = ("--subtype", subtype) if subtype else ()
    assert unbraid_command("separate", name, "-f", ext, *words).code == 0
    files = [f"a/voice{number}.{ext}" for number in (1, 2)]
    assert [audio.probe(file).bits for file in files] == [bits, bits]
    stems = [audio.read(file)[0] for file in files]
    rounding = len(stems) / 2**bits  # half a step each
    np.testing.assert_allclose(sum(stems), mixture, rtol=0, atol=rounding + 1e-7)
