"""Sizes that are told before the work: those of the files that come, and a refusal where they cannot fit."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from unbraid.audio import Excerpt, OutputFormat, choose_format
from unbraid.cli.files import sizes
from unbraid.cli.files.plan import Signal, TrackPlan
from unbraid.cli.files.sizes import check_space, estimated_bytes, needed_bytes, size, told_space
from unbraid.errors import UsageError
from unbraid.files.record import Provenance

HOURS_3 = 3 * 3600
MUSIC = ("vocals", "drums", "bass", "other")


def a_track(folder: Path, fmt: OutputFormat, name: str = "song", seconds: int = HOURS_3) -> TrackPlan:
    """A stereo song of four stems."""
    return TrackPlan(
        source=folder / f"{name}.wav",
        excerpt=Excerpt(),
        signal=Signal(44100, 2, 44100, seconds * 44100),
        outputs={stem: folder / name / f"{stem}.{fmt.name}" for stem in MUSIC},
        fmt=fmt,
        receipt=folder / name / ".unbraid.json",
        making=Provenance(1, 2, "music-4", {}, {}),
    )


def free_bytes(monkeypatch: pytest.MonkeyPatch, count: float) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=count))


@pytest.mark.parametrize(
    ("count", "text"), [(2e3, "2 kB"), (1.25e6, "1.2 MB"), (11.43e9, "11.4 GB"), (250e9, "250 GB")]
)
def test_sizes_for_people(count: float, text: str) -> None:
    assert size(count) == text


def test_a_long_song_is_told_with_its_size(tmp_path: Path) -> None:
    track = a_track(tmp_path, OutputFormat("wav", "24"))
    assert estimated_bytes(track) == HOURS_3 * 44100 * 2 * 3 * 4
    told = "4 stems of 3:00:00 at 44.1 kHz, wav in 24 bit: about 11.4 GB; 250 GB free"
    assert told_space([track], 250e9) == told
    flac = told_space([track, a_track(tmp_path, OutputFormat("flac", "16"), "b")], 250e9)
    assert flac == "8 stems of 2 inputs at 44.1 kHz, flac in 16 bit or wav in 24 bit: about 16.0 GB; 250 GB free"


def test_a_short_song_is_told_only_where_there_is_little_space(tmp_path: Path) -> None:
    track = a_track(tmp_path, choose_format("mp3"), seconds=60)  # 320 kbit/s
    assert told_space([track], 250e9) is None
    assert told_space([track], 1e6) == "4 stems of 1:00 at 44.1 kHz, mp3: about 9.6 MB; 1.0 MB free"
    assert told_space([], 0) is None


def test_floats_take_space_beside_the_stems_of_one_track_at_a_time(tmp_path: Path) -> None:
    second = 44100 * 2  # samples
    floats, stem = 4 * second * 4, second * 2
    tracks = [a_track(tmp_path, OutputFormat("wav", "16"), name, 1) for name in "abc"]
    assert needed_bytes(tracks) == 2 * 4 * stem + floats + stem
    assert needed_bytes(tracks, jobs=2) == max(4 * stem + 2 * (floats + stem), 2 * 4 * stem + floats + stem)
    assert needed_bytes([a_track(tmp_path, OutputFormat("wav", "32f"), name, 1) for name in "abc"]) == 3 * floats
    for track in tracks:
        track.receipt.parent.mkdir()
        for path in track.outputs.values():
            path.write_bytes(bytes(stem))  # will be replaced
    assert needed_bytes(tracks) == floats + stem


@pytest.mark.parametrize(
    ("free", "hints"),
    [
        (1e9, "choose another disk with -o, or write fewer stems with --stems"),
        (16e9, "write fewer stems with --stems, or write floats with --subtype 32f, which need no copies meanwhile"),
    ],
)
def test_one_that_cannot_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, hints: str
) -> None:
    free_bytes(monkeypatch, free)
    with pytest.raises(UsageError) as refused:
        check_space([a_track(tmp_path, OutputFormat("wav", "24"))], tmp_path / "out", 1, all_stems=True)
    said = f"need 18.1 GB on the disk of {tmp_path / 'out'} while they are written, and {size(free)} are free: "
    assert said + f"{size(18_098_640_000 - free)} are missing. " in str(refused.value)
    assert str(refused.value).endswith(f"{hints}.")


def test_many_that_fit_in_another_format_are_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = [a_track(tmp_path, OutputFormat("wav", "24"), str(number), 240) for number in range(100)]
    free_bytes(monkeypatch, 20e9)
    with pytest.raises(UsageError, match=r", or write -f flac\.$"):
        check_space(tracks, tmp_path, 1, all_stems=False)
    free_bytes(monkeypatch, 6e9)
    with pytest.raises(UsageError, match=r", or write -f mp3\.$"):
        check_space(tracks, tmp_path, 1, all_stems=False)
    free_bytes(monkeypatch, 30e9)
    assert "400 stems of 100 inputs" in str(check_space(tracks, tmp_path, 1, all_stems=False))


@pytest.mark.parametrize("words", [("-f", "wav"), ("-f", "wav", "--subtype", "32f"), ("-f", "mp3")])
def test_the_estimate_is_the_size_of_the_files(unbraid_command, tone, here, monkeypatch, words) -> None:
    tone("a.wav", seconds=10, rate=44100, channels=2)
    estimates: list[float] = []
    monkeypatch.setattr(sizes, "told_space", lambda tracks, free: estimates.append(sum(map(estimated_bytes, tracks))))
    assert unbraid_command("separate", "a.wav", "-m", "music-4", *words).code == 0
    written = sum(path.stat().st_size for path in (here / "a").iterdir() if not path.name.startswith("."))
    assert written == pytest.approx(estimates[0], rel=0.02)


def test_a_large_run_is_told_and_a_finished_one_is_not(unbraid_command, tone, monkeypatch) -> None:
    monkeypatch.setattr(sizes, "LARGE_BYTES", 1000)
    free_bytes(monkeypatch, 5e9)
    tone("a.wav")
    told = "2 stems of 0:00 at 8 kHz, wav in 16 bit: about 16 kB; 5.0 GB free"
    assert unbraid_command("separate", "a.wav").errors == [told]
    free_bytes(monkeypatch, 0)
    assert unbraid_command("separate", "a.wav", "--resume").code == 0
    assert unbraid_command("separate", "a.wav", "--overwrite").code == 2
    free_bytes(monkeypatch, 5e9)
    assert unbraid_command("separate", "a.wav", "--overwrite", "-q").errors == []


def test_a_cut_file_counts_with_what_is_there(unbraid_command, tone, here, monkeypatch) -> None:
    free_bytes(monkeypatch, 1e6)
    tone("a.wav", seconds=60)
    tone("b.wav")
    whole = (here / "a.wav").read_bytes()
    assert unbraid_command("separate", "a.wav").code == 2
    (here / "a.wav").write_bytes(whole[:20_000])
    outcome = unbraid_command("separate", "a.wav", "b.wav")
    assert outcome.code == 1
    assert outcome.err.startswith("error: a.wav is cut short")
    assert (here / "b" / "voice2.wav").is_file()
