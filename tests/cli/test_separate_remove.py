"""`unbraid separate --remove` and `--mask-exponent`, with real engines of small networks."""

import io
import json
import sys

import numpy as np
import pytest

from unbraid import audio
from unbraid.tasks.separation.separator import Separator


@pytest.fixture(autouse=True)
def real(monkeypatch):
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "Separator", Separator)


@pytest.fixture
def song(here):
    """Stereo noise of a second, and its float samples."""
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)
    audio.write("song.wav", samples, 8000, audio.OutputFormat("wav", "32f"))
    return samples


def test_karaoke_is_the_mixture_without_the_vocals(unbraid_command, song, tree, music_folder):
    assert unbraid_command("separate", "song.wav", "-m", music_folder, "-o", "all").code == 0
    outcome = unbraid_command("separate", "song.wav", "-m", music_folder, "--remove", "vocals", "-o", "out")
    assert (outcome.code, outcome.err) == (0, "")
    assert [name for name in tree() if name.startswith("out")] == ["out/song/.unbraid.json", "out/song/no-vocals.wav"]
    kept, vocals = audio.read("out/song/no-vocals.wav")[0], audio.read("all/song/vocals.wav")[0]
    np.testing.assert_allclose(kept, song - vocals, atol=1e-5)


def test_it_works_for_speech_and_with_a_residual(unbraid_command, song, speech_folder):
    words = ("separate", "song.wav", "-m", speech_folder, "--json")
    stems = json.loads(unbraid_command(*words, "--residual", "-o", "all").out)["files"][0]["outputs"]
    found = {stem: audio.read(path)[0] for stem, path in stems.items()}
    assert unbraid_command(*words, "--remove", "voice1, residual").code == 0
    np.testing.assert_allclose(audio.read("song/no-voice1-residual.wav")[0], found["voice2"], atol=1e-6)
    for stem, other in (("voice1", "voice2"), ("voice2", "voice1")):
        assert unbraid_command(*words, "--remove", stem).code == 0
        assert unbraid_command(*words, "--stems", other, "-o", "one").code == 0
        kept, alone = audio.read(f"song/no-{stem}.wav")[0], audio.read(f"one/song/{other}.wav")[0]
        np.testing.assert_array_equal(kept, alone)


def test_standard_output_takes_it(unbraid_command, song, music_folder):
    outcome = unbraid_command("separate", "song.wav", "-m", music_folder, "--remove", "drums", "-o", "-")
    assert outcome.code == 0
    samples, rate = audio.read(io.BytesIO(outcome.bytes))
    assert unbraid_command("separate", "song.wav", "-m", music_folder, "--stems", "vocals").code == 0
    np.testing.assert_allclose(samples, audio.read("song/vocals.wav")[0], atol=1e-6)
    assert rate == 8000


def test_a_report_shows_what_was_removed_as_left_over(unbraid_command, song, music_folder, here):
    assert unbraid_command("separate", "song.wav", "-m", music_folder, "--remove", "vocals", "--report").code == 0
    text = (here / "song" / "report.html").read_text(encoding="utf-8")
    assert 'data-stem="no-vocals"' in text
    assert 'data-stem="left over"' in text


def test_another_stem_removed_is_another_file(unbraid_command, song, music_folder):
    words = ("separate", "song.wav", "-m", music_folder, "--resume", "--json")

    def status(*more: str) -> str:
        return json.loads(unbraid_command(*words, *more).out)["files"][0]["status"]

    assert [status("--remove", "vocals") for _ in range(2)] == ["done", "skipped"]
    assert [status("--remove", "drums") for _ in range(2)] == ["done", "skipped"]
    assert status("--remove", "vocals") == "skipped"
    assert [status("--mask-exponent", "1") for _ in range(2)] == ["done", "skipped"]
    assert status() == "kept"
    assert status("--overwrite") == "done"


REFUSED = [
    (["--remove", "xyz"], "tiny-music has no stem 'xyz', only vocals, drums; no model has it."),
    (["--remove", "vocals,drums"], "Without vocals, drums nothing is left of tiny-music; remove fewer stems."),
    (["--remove", ","], "--remove names no stem; give names with commas between them, or leave it out to remove none."),
    (["--remove", "vocals", "--stems", "drums"],
     "--stems writes the stems it names, --remove the sum of all others; give one of them."),
    (["--remove", "residual", "--raw"], "Raw returns just what the network gives: it has no residual."),
    (["--mask-exponent", "0"], "Masks take an exponent above 0 (Spleeter's is 2), got 0."),
    (["--mask-exponent", "-1"], "Masks take an exponent above 0 (Spleeter's is 2), got -1."),
    (["--mask-exponent", "nan"], "Masks take an exponent above 0 (Spleeter's is 2), got nan."),
    (["--mask-exponent", "inf"], "Masks take an exponent above 0 (Spleeter's is 2), got inf."),
    (["--mask-exponent", "1", "--wiener"],
     "The Wiener filter has masks of its own; leave it out, or the exponent of the masks."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_met_is_one_sentence(unbraid_command, song, tree, music_folder, words, message):
    outcome = unbraid_command("separate", "song.wav", "-m", music_folder, *words)
    assert (outcome.code, outcome.errors) == (2, [f"error: {message}"])
    assert tree() == ["song.wav"]


def test_speech_has_no_masks(unbraid_command, song, speech_folder):
    outcome = unbraid_command("separate", "song.wav", "-m", speech_folder, "--mask-exponent", "1")
    assert (outcome.code, outcome.errors) == (
        2,
        ["error: Exponents of masks are for music models; tiny-speech is a sepformer."],
    )


def test_a_larger_exponent_separates_harder(unbraid_command, song, music_folder):
    """Stems of masks that are nearer to 0 and 1 overlap less; still they add up."""
    overlap = []
    for exponent in ("0.5", "2", "8", "60"):
        for name in ("raw", "full"):
            words = ("--mask-exponent", exponent, "-o", f"{exponent}-{name}", *(["--raw"] if name == "raw" else []))
            assert unbraid_command("separate", "song.wav", "-m", music_folder, *words).code == 0
        stems = [audio.read(f"{exponent}-full/song/{stem}.wav")[0] for stem in ("vocals", "drums")]
        np.testing.assert_allclose(sum(stems), song, atol=1e-5)
        power = [np.abs(np.fft.rfft(stem)) for stem in stems]
        overlap.append(float(np.sum(power[0] * power[1])))
    assert overlap == sorted(overlap, reverse=True)
