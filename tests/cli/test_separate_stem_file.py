"""`unbraid separate --format stem.m4a`: a song and its four stems in one file for DJ programs."""

import json
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from cli_fakes import WEIGHTS

from unbraid import audio
from unbraid.audio.stem_file import add_user_data, manifest, stem_order
from unbraid.errors import AudioError

RATE = 44100
ORDER = ("drums", "bass", "other", "vocals")


def box(path: Path, *names: bytes) -> bytes:
    """The content of a box within boxes."""
    content = path.read_bytes()
    for name in names:
        at = 0
        while content[at + 4 : at + 8] != name:
            (size,) = struct.unpack_from(">I", content, at)
            assert size >= 8
            at += size
        (size,) = struct.unpack_from(">I", content, at)
        content = content[at + 8 : at + size]
    return content


def snr_db(reference: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.square(reference).sum() / np.square(reference - found).sum()))


@pytest.fixture
def song(tone):
    return tone("song.wav", seconds=1.3, channels=2, rate=RATE)


@pytest.fixture
def stem_file(song, unbraid_command) -> Path:
    assert unbraid_command("separate", "song.wav", "-m", "music-4", "-f", "stem.m4a").code == 0
    return Path("song/song.stem.m4a")


def test_the_first_track_is_the_recording_and_the_others_are_the_stems(stem_file, song, tree) -> None:
    assert tree() == ["song.wav", "song/.unbraid.json", "song/song.stem.m4a"]
    weights = {"recording": 1.0} | {stem: WEIGHTS["music-4"][stem] for stem in ORDER}
    for track, weight in enumerate(weights.values()):
        samples, rate = audio.read(stem_file, audio.Excerpt(track=track))
        assert (rate, samples.shape) == (RATE, song.shape)
        assert snr_db(weight * song, samples) > 40


def test_it_is_as_native_instruments_describe_it(stem_file) -> None:
    with av.open(str(stem_file)) as container:
        assert container.metadata["major_brand"] == "M4A "
        assert [stream.codec_context.name for stream in container.streams] == ["aac"] * 5
        assert {stream.codec_context.layout.name for stream in container.streams} == {"stereo"}
        titles = [stream.metadata["handler_name"] for stream in container.streams]
    assert titles == ["Mix", "Drums", "Bass", "Other", "Vocals"]
    values = json.loads(box(stem_file, b"moov", b"udta", b"stem"))
    assert values["version"] == 1
    assert values["stems"] == [
        {"name": "Drums", "color": "#009E73"},
        {"name": "Bass", "color": "#D55E00"},
        {"name": "Other", "color": "#CC79A7"},
        {"name": "Vocals", "color": "#56B4E9"},
    ]
    effects = values["mastering_dsp"]
    assert [effects[name]["enabled"] for name in ("compressor", "limiter")] == [False, False]


def test_only_the_recording_is_enabled_so_that_other_players_play_it(stem_file) -> None:
    index, flags, at = box(stem_file, b"moov"), [], 0
    while at < len(index):
        size, name = struct.unpack_from(">I4s", index, at)
        if name == b"trak":
            assert index[at + 12 : at + 16] == b"tkhd"
            flags.append(index[at + 19] & 1)
        at += size
    assert flags == [1, 0, 0, 0, 0]
    samples, _ = audio.read(stem_file)
    assert np.array_equal(samples, audio.read(stem_file, audio.Excerpt(track=0))[0])


def test_tags_are_carried_over_and_a_template_places_it(unbraid_command, song, tree) -> None:
    audio.write("a.flac", song, RATE, audio.choose_format("flac"), tags={"title": "Größe", "artist": "A"})
    words = ("separate", "a.flac", "-m", "music-4", "-f", "stem.m4a", "--template", "{track}.{ext}", "-o", "dj")
    assert unbraid_command(*words).code == 0
    assert tree() == ["a.flac", "dj/.a.unbraid.json", "dj/a.stem.m4a", "song.wav"]
    assert audio.probe("dj/a.stem.m4a").tags == {"title": "Größe", "artist": "A"}
    assert "was done already" in unbraid_command(*words, "--resume").out


def test_mono_comes_in_stereo_and_one_gain_keeps_all_from_clipping(unbraid_command, here) -> None:
    loud = (1.6 * np.sin(np.arange(RATE) * 0.05)).astype(np.float32)[None]
    audio.write("mono.wav", loud, RATE, audio.choose_format("wav", subtype="32f"))
    outcome = unbraid_command("separate", "mono.wav", "-m", "music-4", "-f", "stem.m4a")
    assert "stems turned down by 4.1 dB so that none clips" in outcome.out
    samples, _ = audio.read("mono/mono.stem.m4a", audio.Excerpt(track=1))
    assert samples.shape == (2, RATE)
    assert snr_db(np.repeat(loud, 2, 0) * 0.25 / 1.6, samples) > 40


def test_a_rate_that_stem_files_lack_is_refused_or_resampled(unbraid_command, tone) -> None:
    tone("low.wav", rate=32000, channels=2)
    words = ("separate", "low.wav", "-m", "music-4", "-f", "stem.m4a")
    outcome = unbraid_command(*words)
    assert outcome.code == 1
    assert (
        "stem.m4a cannot hold 32000 Hz. Write wav, flac, ogg, mp3 or m4a instead, or resample to 44100 Hz"
        in outcome.err
    )
    assert unbraid_command(*words, "--resample").code == 0
    assert audio.probe("low/low.stem.m4a").sample_rate == 44100


LEFT_OUT = (
    "stem.m4a holds a song and its four stems, which add up to it; leave out --stems, --two-stems, --remove, "
    "--residual and --raw, or write another format."
)
REFUSED = [
    (("-m", "music-2"), "stem.m4a holds the four stems of a song, and music-2 gives vocals, accompaniment; choose a "
     "model with four stems, such as -m music-4, or another format."),
    ((), "stem.m4a holds the four stems of a song, and speech gives voices; choose a model with four stems, such as "
     "-m music-4, or another format."),
    (("-m", "music-4", "--stems", "vocals"), LEFT_OUT),
    (("-m", "music-4", "--residual"), LEFT_OUT),
    (("-m", "music-4", "--remove", "vocals"), LEFT_OUT),
    (("-m", "music-4", "--subtype", "24"), "There is no subtype '24' in stem.m4a; it is a lossy format and has none."),
    (("-m", "music-4", "--bitrate", "9"), "A bit rate of 9 kbit/s is not possible in stem.m4a; choose 32 to 512."),
    (("-m", "music-4", "-o", "-"), "stem.m4a is a file for DJ programs; choose a folder with -o instead of -."),
    (("--server", "http://x"), "stem.m4a is not written by a server; choose another format, or leave --server out."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_does_not_go_with_it_is_refused(unbraid_command, song, tree, words, message) -> None:
    outcome = unbraid_command("separate", "song.wav", "-f", "stem.m4a", *words)
    assert (outcome.code, outcome.errors) == (2, [f"error: {message}"])
    assert tree() == ["song.wav"]


def test_stems_of_other_names_follow_and_get_the_colours_that_are_left() -> None:
    stems = stem_order(("vocals", "guitar", "drums", "piano"))
    assert stems == ("drums", "vocals", "guitar", "piano")
    colours = [stem["color"] for stem in json.loads(manifest(stems))["stems"]]
    assert colours == ["#009E73", "#56B4E9", "#D55E00", "#CC79A7"]


def test_a_file_whose_index_is_not_last_is_left_alone(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(before := struct.pack(">I4sI4s", 8, b"moov", 8, b"mdat"))
    with open(path, "rb+") as file, pytest.raises(AudioError, match="its last box, so that nothing can be added"):
        add_user_data(file, b"stem", b"{}")
    assert path.read_bytes() == before


def test_a_box_goes_into_user_data_that_are_there_or_not(tmp_path) -> None:
    for inside in (b"", struct.pack(">I4sI4s", 16, b"udta", 8, b"name")):
        path = tmp_path / "a.mp4"
        path.write_bytes(
            struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8) + struct.pack(">I4s", 8 + len(inside), b"moov") + inside
        )
        with open(path, "rb+") as file:
            add_user_data(file, b"stem", b"{}")
        rest = path.read_bytes()[24:]
        assert rest.endswith(inside[8:] + struct.pack(">I4s", 10, b"stem") + b"{}")
        assert struct.unpack_from(">I", rest)[0] == len(rest)
        assert struct.unpack_from(">I4s", rest, 8) == (len(rest) - 8, b"udta")
