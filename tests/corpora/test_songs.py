"""Songs: how a corpus's parts become a model's stems, and how pieces of them are read."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import song_trees as trees
from hypothesis import given
from hypothesis import strategies as st
from song_trees import RATE, SECONDS, heard, tone, write

from unbraid.audio import resample
from unbraid.corpora import PARTS, Clip, Song, read_stereo, song_seconds, stems_of
from unbraid.errors import AudioError

CLIPS = {part: (Clip(Path(part)),) for part in PARTS}
WHOLE = Song("whole", CLIPS)


def names(song: Song, *stems: str) -> dict[str, list[str]]:
    return {stem: [clip.path.name for clip in clips] for stem, clips in stems_of(song, stems).items()}


@pytest.mark.parametrize(
    ("stems", "expected"),
    [
        (PARTS, {part: [part] for part in PARTS}),
        (
            ("vocals", "drums", "bass", "other"),
            {"vocals": ["vocals"], "drums": ["drums"], "bass": ["bass"], "other": ["piano", "other"]},
        ),
        (
            ("vocals", "accompaniment"),
            {"vocals": ["vocals"], "accompaniment": ["drums", "bass", "piano", "other"]},
        ),
        (("accompaniment",), {"accompaniment": ["drums", "bass", "piano", "other"]}),
        (("vocals",), {"vocals": ["vocals"]}),
        (("drums", "other"), {"drums": ["drums"], "other": ["vocals", "bass", "piano", "other"]}),
    ],
)
def test_every_part_has_its_stem(stems: tuple[str, ...], expected: dict[str, list[str]]) -> None:
    assert names(WHOLE, *stems) == expected


def test_a_part_of_several_recordings_and_parts_that_are_not_there() -> None:
    song = Song("some", {"drums": (Clip(Path("kick")), Clip(Path("snare"))), "other": (Clip(Path("organ")),)})
    assert names(song, "vocals", "accompaniment") == {"accompaniment": ["kick", "snare", "organ"]}
    assert names(song, "vocals", "drums", "bass", "other") == {"drums": ["kick", "snare"], "other": ["organ"]}
    assert names(song, "vocals") == {}


@given(st.sets(st.sampled_from(PARTS)), st.lists(st.sampled_from((*PARTS, "accompaniment")), unique=True))
def test_no_recording_is_in_two_stems_and_none_is_lost_where_there_is_other(parts: set[str], stems: list[str]) -> None:
    song = Song("song", {part: CLIPS[part] for part in PARTS if part in parts})
    found = stems_of(song, stems)
    assert list(found) == [stem for stem in stems if stem in found]
    everything = [clip.path.name for clips in found.values() for clip in clips]
    assert len(everything) == len(set(everything))
    assert set(everything) <= parts
    if "other" in stems:
        assert set(everything) == parts
    assert "vocals" not in [clip.path.name for clip in found.get("accompaniment", ())]


def test_the_sum_of_recordings(tmp_path: Path) -> None:
    """One is mono, and heard on both channels."""
    clips = [Clip(write(tmp_path / "a.wav", tone("drums"))), Clip(write(tmp_path / "b.wav", tone("bass", channels=1)))]
    audio = read_stereo(clips, RATE)
    assert audio.dtype == np.float32
    np.testing.assert_allclose(audio, tone("drums") + tone("bass", channels=1), atol=1e-4)
    assert read_stereo([], RATE).shape == (2, 0)
    np.testing.assert_array_equal(read_stereo([], RATE, 1.0, 0.25), np.zeros((2, 11025)))


@given(st.integers(0, 30000), st.integers(1, 30000))
def test_a_piece_is_what_is_there_and_silence_behind_the_end(tmp_path_factory, start: int, samples: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "pieces"
    path, audio = folder / "a.wav", tone("vocals")
    if not path.exists():
        write(path, audio)
    piece = read_stereo([Clip(path)], RATE, start / RATE, samples / RATE)
    expected = np.pad(audio, ((0, 0), (0, 60000)))[:, start : start + samples]
    np.testing.assert_allclose(piece, expected, atol=1e-4)


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (16000, 44100), (48000, 44100), (44100, 44099)])
def test_pieces_at_another_rate_fit_together(tmp_path: Path, rate: int, wanted: int) -> None:
    """Within -90 dB of the resampled whole, wherever the cuts are."""
    noise = np.random.default_rng(1).normal(0, 0.1, (2, 2 * rate)).astype(np.float32)
    path = write(tmp_path / "a.flac", noise, rate)
    stored = read_stereo([Clip(path)], rate)
    whole = resample(stored, rate, wanted)
    cuts = [0, 1, 777, wanted // 3 + 5, wanted, 2 * wanted]
    for start, stop in pairwise(cuts):
        piece = read_stereo([Clip(path)], wanted, start / wanted, (stop - start) / wanted)
        assert piece.shape == (2, stop - start)
        error = np.sqrt(np.mean((piece - whole[:, start:stop]) ** 2))
        assert error < 10 ** (-90 / 20) * np.sqrt(np.mean(whole**2))
    assert read_stereo([Clip(path)], wanted).shape == whole.shape


def test_clips_within_files_and_tracks_of_files(tmp_path: Path) -> None:
    path = trees.write_tracks(tmp_path / "a.stem.mp4", [tone("drums"), tone("bass")])
    assert heard(read_stereo([Clip(path)], RATE)) == {"drums"}
    assert heard(read_stereo([Clip(path, track=1)], RATE, 0.1, 0.2)) == {"bass"}
    assert heard(read_stereo([Clip(path, track=1).part(0.1, 0.2)], RATE)) == {"bass"}
    long = write(tmp_path / "b.wav", np.concatenate([tone("drums"), tone("bass")], axis=1))
    assert heard(read_stereo([Clip(long, SECONDS, SECONDS)], RATE)) == {"bass"}
    np.testing.assert_array_equal(read_stereo([Clip(long, SECONDS, SECONDS)], RATE, SECONDS, 0.1), np.zeros((2, 4410)))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".m4a"])
def test_a_piece_is_where_it_should_be_in_every_format(tmp_path: Path, suffix: str) -> None:
    """A knock at 0.3 s, in formats that can and that cannot be entered in the middle."""
    audio = np.zeros((2, RATE), np.float32)
    audio[:, 13230:13290] = 0.5 * np.hanning(60)
    path = tmp_path / f"a{suffix}"
    trees.write_tracks(path, [audio]) if suffix == ".m4a" else write(path, audio)
    piece = read_stereo([Clip(path)], RATE, 0.25, 0.1)
    assert piece.shape == (2, 4410)
    assert abs(int(np.argmax(np.abs(piece[0]))) - (13260 - 11025)) < 5


def test_a_song_lasts_as_long_as_its_longest_recording(tmp_path: Path) -> None:
    long, short = tone("drums", 1.0), tone("bass", 0.95)
    drums, bass = Clip(write(tmp_path / "d.wav", long)), Clip(write(tmp_path / "b.wav", short))
    assert song_seconds(Song("song", {"drums": (drums,), "bass": (bass,)})) == 1.0
    assert song_seconds(Song("song", {"bass": (bass,)}, drums)) == 1.0
    audio = read_stereo([drums, bass], RATE)
    np.testing.assert_allclose(audio, long + np.pad(short, ((0, 0), (0, 2205))), atol=1e-4)
    assert song_seconds(Song("nothing", {})) == 0


def test_recordings_of_different_rates(tmp_path: Path) -> None:
    drums, bass = tone("drums"), tone("bass", rate=48000)
    clips = (Clip(write(tmp_path / "d.wav", drums)), Clip(write(tmp_path / "b.wav", bass, 48000)))
    assert song_seconds(Song("song", {"drums": clips})) == SECONDS
    audio = read_stereo(clips, RATE)
    assert audio.shape == (2, 22050)
    middle = slice(2000, -2000)
    np.testing.assert_allclose(audio[:, middle], (drums + tone("bass"))[:, middle], atol=2e-4)


def test_refusals(tmp_path: Path) -> None:
    long, short = write(tmp_path / "d.wav", tone("drums", 1.0)), write(tmp_path / "b.wav", tone("bass", 0.8))
    many = write(tmp_path / "m.wav", np.zeros((3, 100), np.float32))
    unequal = (
        f"{long} lasts 1.000 s but {short} 0.800 s; the recordings of a song may differ by 0.1 s. "
        f"Make them equally long, or take the song out."
    )
    for call, error in (
        (lambda: song_seconds(Song("song", {"drums": (Clip(long),)}, Clip(short))), unequal),
        (lambda: read_stereo([Clip(short), Clip(long)], RATE, 0.0, 0.1), unequal),
        (
            lambda: read_stereo([Clip(many)], RATE),
            f"{many} has 3 channels; the recordings of a corpus must be mono or stereo. Convert it, or take it out.",
        ),
        (
            lambda: read_stereo([Clip(tmp_path / "no.wav")], RATE, 0.0, 1.0),
            f"{tmp_path}/no.wav does not exist. Name an audio file that does.",
        ),
        (
            lambda: read_stereo([Clip(long, track=4)], RATE),
            f"{long} has no audio track 4: it has one, track 0.",
        ),
    ):
        with pytest.raises(AudioError) as caught:
            call()
        assert str(caught.value) == error
