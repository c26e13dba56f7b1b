"""Films and recordings as they come: late audio, gaps, edit lists, several tracks, damage, files that name files."""

import contextlib
import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unbraid
from odd_containers import RATE, AudioTrack, edit, mux, silent_stretches, spoil, tone
from unbraid import audio
from unbraid.audio import ReadOptions
from unbraid.errors import AudioError, UsageError

LATE = {
    "mkv": ("pcm_s16le", 0),
    "aac.mkv": ("aac", 0),
    "flac.mkv": ("flac", 32),
    "opus.mkv": ("libopus", 240),  # FFmpeg takes the pre-skip for longer than it is
    "mov": ("pcm_s16le", 0),
    "mp4": ("aac", 1024),  # what the encoder puts in front is heard too, in place
    "alac.mp4": ("alac", 0),
    "ts": ("aac", 1024),
    "mpg": ("mp2", 1200),
}


def read_both_ways(path: Path, **options) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The first channel of the whole file, which must be what its ranges are."""
    with audio.Reader(path, audio.Excerpt(**options)) as reader:
        whole = reader.read()
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(777)), axis=1), whole)
    with path.open("rb") as file:
        np.testing.assert_array_equal(audio.read(file, audio.Excerpt(**options))[0], whole)
    rate = reader.info.sample_rate
    for start in (0.25, 0.9, 1.7):
        part = audio.read(path, audio.Excerpt(start=start, duration=0.5, **options))[0]
        first = round(start * rate)
        np.testing.assert_allclose(part, whole[:, first : first + part.shape[1]], atol=2e-4)
    return whole[0]


@pytest.mark.parametrize("kind", LATE)
@pytest.mark.parametrize("film", [True, False])
def test_audio_that_begins_late_keeps_its_place(tmp_path: Path, kind: str, film: bool) -> None:
    codec, slack = LATE[kind]
    if not film and kind in ("ts", "mpg"):
        pytest.skip("its clock begins anywhere, so that only other streams tell what is late")
    path = mux(tmp_path / f"late.{kind}", [AudioTrack(tone(1.5), lambda _: 1.0)], codec, film_seconds=3.0 * film)
    samples = read_both_ways(path)
    info = audio.probe(path)
    (first, length), *_ = silent_stretches(samples)
    assert first == 0 and abs(length / info.sample_rate - 1.0) < 0.002 + slack / RATE
    assert abs(info.start_seconds - 1.0) < 0.002 + slack / RATE
    assert info.frames in (None, len(samples))
    with audio.Reader(path) as reader:
        assert any("its audio starts" in notice for notice in reader.notices)


@pytest.mark.parametrize("kind", ["mkv", "aac.mkv", "flac.mkv", "opus.mkv", "mp4", "ts", "mpg", "opus"])
def test_gaps_between_time_stamps_are_silence(tmp_path: Path, kind: str) -> None:
    codec = {"opus": "libopus"}.get(kind) or LATE[kind][0]
    rate = 48000 if kind == "opus" else RATE
    gap = AudioTrack(tone(2.0, rate), lambda first: 0.0 if first < rate else 0.75)
    path = mux(tmp_path / f"gap.{kind}", [gap], codec, rate=rate)
    samples = read_both_ways(path)
    rate = audio.probe(path).sample_rate
    ((first, length),) = silent_stretches(samples, rate // 20)
    assert abs(length / rate - 0.75) < 0.0011 + 0.03 * (codec in ("aac", "libopus"))  # codecs ring on
    assert 0.99 < first / rate < 1.12
    assert abs(len(samples) / rate - 2.75) < 0.15
    with audio.Reader(path) as reader:
        list(reader.blocks())
    assert len(reader.notices) == 1 and "between its time stamps" in reader.notices[0]


def test_lost_packets_of_opus_are_whole(tmp_path: Path) -> None:
    """As in recordings of calls: gaps of some packets here and there, rounded to milliseconds by the container."""
    lost = AudioTrack(tone(2.0, 48000), lambda first: 0.06 * (first // 24000))
    samples, rate = audio.read(mux(tmp_path / "call.webm", [lost], "libopus", rate=48000))
    assert (samples.shape[1] - 3 * 0.06 * rate) % 960 == 0


def test_a_gap_of_hours_takes_no_memory(tmp_path: Path) -> None:
    path = mux(tmp_path / "hours.mkv", [AudioTrack(tone(2.0), lambda first: 0.0 if first < RATE else 7200.0)])
    tracemalloc.start()
    with audio.Reader(path) as reader:
        frames = sum(block.shape[1] for block in reader.blocks(1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frames == 7202 * RATE
    assert peak < 40e6
    np.testing.assert_allclose(audio.read(path, audio.Excerpt(start=7201.0))[0][0], tone(2.0)[RATE:], atol=1e-4)


@pytest.mark.parametrize("film", [0.0, 2.0])
def test_a_gap_of_years_is_refused(tmp_path: Path, film: float) -> None:
    years = AudioTrack(tone(2.0), lambda first: 0.0 if first < RATE else 10 * 365 * 86400.0)
    path = mux(tmp_path / "years.mkv", [years], film_seconds=film)
    with pytest.raises(
        AudioError, match=r"years\.mkv has a gap of 87600 hours between its time stamps at 1\.000 s; at"
    ):
        audio.read(path)
    assert audio.read(path, audio.Excerpt(duration=0.9))[0].shape[1] == round(0.9 * RATE)  # the remedy works


def test_a_recording_cut_out_of_a_live_stream_begins_with_it(tmp_path: Path) -> None:
    path = mux(tmp_path / "live.mkv", [AudioTrack(tone(1.0), lambda _: 86400.0)])
    assert audio.read(path)[0].shape[1] == RATE
    assert audio.probe(path).start_seconds == 0


def test_overlaps_are_left_out_and_told(tmp_path: Path) -> None:
    path = mux(tmp_path / "over.mkv", [AudioTrack(tone(2.0), lambda first: 0.0 if first < RATE else -0.25)])
    with audio.Reader(path) as reader:
        assert reader.read().shape[1] == round(1.75 * RATE)
    assert any("overlap" in notice for notice in reader.notices)


def test_a_clock_that_is_set_anew_loses_nothing(tmp_path: Path) -> None:
    """Two recordings of a transport stream, put together."""
    parts = [
        mux(tmp_path / f"{name}.ts", [AudioTrack(tone(1.5), lambda _, at=at: at)], "mp2")
        for name, at in (("a", 500.0), ("b", 9.0), ("c", 5000.0))
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with audio.Reader(path) as reader:
        samples = reader.read()[0]
    alone = sum(audio.read(part)[0].shape[1] for part in parts)
    assert abs(len(samples) - alone) <= 2 * 1152
    assert any("its clock is reset" in notice for notice in reader.notices)


def test_a_clock_that_runs_over_goes_on(tmp_path: Path) -> None:
    """Time stamps of transport streams have 33 bits: 26.5 hours."""
    wrap = (1 << 33) / 90000
    path = mux(tmp_path / "wrap.ts", [AudioTrack(tone(2.0), lambda _: wrap - 1.0)], "mp2")
    samples = audio.read(path)[0][0]
    assert abs(len(samples) - 2 * RATE) <= 1152
    assert silent_stretches(samples[1200:-1200]) == []


@pytest.mark.parametrize("flags", ["", "faststart", "frag_keyframe+empty_moov", "frag_keyframe+delay_moov", "dash"])
def test_fragmented_or_not_an_mp4_is_whole(tmp_path: Path, flags: str) -> None:
    options = {"movflags": flags} if flags else {}
    gap = AudioTrack(tone(2.0), lambda first: 0.0 if first < RATE else 0.5)
    path = mux(tmp_path / "in.mp4", [gap], "aac", film_seconds=3.0, **options)
    samples = read_both_ways(path)
    assert abs(len(samples) - 2.5 * RATE) <= 1024 + 64
    assert len(silent_stretches(samples, RATE // 3)) == 1


def test_edit_lists_are_honoured(tmp_path: Path) -> None:
    signal = (np.arange(RATE * 2) / (RATE * 2) * 0.9 + 0.05).astype(np.float32)
    path = mux(tmp_path / "late.mov", [AudioTrack(signal, lambda _: 1.0)], movie_timescale="1000")
    whole = audio.read(path)[0][0]
    assert silent_stretches(whole) == [(0, RATE)] and len(whole) == 3 * RATE
    edit(path, (250, -1), (1000, 8000))  # a quarter of a second of nothing, then a second from 0.5 s on
    samples = audio.read(path)[0][0]
    assert len(samples) == round(1.25 * RATE) == audio.probe(path).frames
    np.testing.assert_array_equal(samples[: RATE // 4], 0)
    np.testing.assert_allclose(samples[RATE // 4 :], signal[8000 : 8000 + RATE], atol=1e-4)


def test_other_tracks_are_told_and_one_that_sounds_is_found(tmp_path: Path) -> None:
    silence = np.zeros(RATE, np.float32)
    tracks = [
        AudioTrack(silence, tags=(("title", "Desktop"),)),
        AudioTrack(silence),
        AudioTrack(tone(1.0), tags=(("language", "deu"), ("title", "Mikrofon\x1b"))),
    ]
    path = mux(tmp_path / "three.mkv", tracks, film_seconds=1.0)
    with audio.Reader(path) as reader:
        assert reader.notices == (
            'it has 3 audio tracks (0: "Desktop", 1, 2: deu "Mikrofon "), of which track 0 is read; '
            "choose another one with --track N, or the first that is not silent with --track auto",
        )
    with audio.Reader(path, audio.Excerpt(track="auto")) as reader:
        assert reader.info.track == 2
        assert np.abs(reader.read()).max() > 0.3
        assert "of which track 2 is read" in reader.notices[0]
    assert audio.probe(path, audio.Excerpt(track="auto")).track == 2
    assert audio.probe(mux(tmp_path / "mute.mkv", [AudioTrack(silence)] * 2), audio.Excerpt(track="auto")).track == 0
    soundfile.write(tmp_path / "one.wav", silence, RATE)
    assert audio.probe(tmp_path / "one.wav", audio.Excerpt(track="auto")).track == 0
    with pytest.raises(UsageError, match="An audio track is a number from 0 on"):
        audio.read(path, audio.Excerpt(track="first"))  # type: ignore[arg-type]


DAMAGED = {
    "flac": ("FLAC", "PCM_16", 1e-4),
    "ogg": ("OGG", "VORBIS", 1e-4),
    "opus": ("OGG", "OPUS", 1e-3),
    "mp3": ("MP3", "MPEG_LAYER_III", 1e-4),
}


@pytest.mark.parametrize("kind", [*DAMAGED, "m4a", "flac.mkv", "mp2", "ac3"])
def test_damage_in_the_middle(tmp_path: Path, kind: str) -> None:
    """An error, or silence of the right length; behind it each sample is where it was."""
    path = tmp_path / f"hit.{kind}"
    signal = tone(4.0, 48000) + 0.05 * np.random.default_rng(0).standard_normal(4 * 48000).astype(np.float32)
    if kind in DAMAGED:
        with soundfile.SoundFile(path, "w", 48000, 1, DAMAGED[kind][1], format=DAMAGED[kind][0]) as file:
            for first in range(0, len(signal), 4800):
                file.write(signal[first : first + 4800])
    else:
        codec = {"m4a": "alac", "flac.mkv": "flac", "mp2": "mp2", "ac3": "ac3"}[kind]
        mux(path, [AudioTrack(signal)], codec, rate=48000)
    whole = audio.read(path)[0]
    spoil(path, at=0.4)
    with pytest.raises(
        AudioError, match=r"is damaged after [01]\.\d+ s \(.+replace it by silence with --skip-damage\.$"
    ):
        audio.read(path)
    with audio.Reader(path, audio.Excerpt(reading=ReadOptions(skip_damage=True))) as reader:
        mended = reader.read()
    assert mended.shape == whole.shape
    assert "damaged audio is replaced by silence" in reader.notices[-1]
    tolerance = DAMAGED.get(kind, ("", "", 0.2))[2]  # ac3 makes noise of its own
    behind = round(3.4 * 48000)
    np.testing.assert_allclose(mended[:, :40000], whole[:, :40000], atol=tolerance)
    np.testing.assert_allclose(mended[:, behind:], whole[:, behind:], atol=tolerance)
    tail, _ = audio.read(path, audio.Excerpt(start=3.4))  # without the option
    np.testing.assert_allclose(tail, whole[:, behind:], atol=tolerance)
    assert audio.read(path, audio.Excerpt(duration=0.5))[0].shape == (1, 24000)


def test_names_of_other_files_are_not_followed(tmp_path: Path) -> None:
    """Playlists, concatenations, session descriptions: from a path, an object, whatever they are called."""
    soundfile.write(tmp_path / "secret.wav", tone(1.0), RATE)
    secret = mux(tmp_path / "secret.ts", [AudioTrack(tone(1.0))], "mp2")
    texts = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "concat.wav": "ffconcat version 1.0\nfile secret.wav\n",
        "manifest.mpd": f'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
        f'<Representation id="0"><BaseURL>file://{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "list.pls": f"[playlist]\nFile1=file://{secret}\nNumberOfEntries=1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        for source in (tmp_path / name, io.BytesIO(text.encode())):
            with pytest.raises(AudioError, match="is not audio that can be read"):
                audio.read(source)


def test_a_movie_does_not_take_its_samples_from_another_file(tmp_path: Path) -> None:
    """QuickTime's data references: FFmpeg is not to follow them."""
    path = mux(tmp_path / "in.mov", [AudioTrack(tone(1.0))])
    data = path.read_bytes()
    at = data.find(b"url \x00\x00\x00\x01")
    assert at > 0
    path.write_bytes(data[:at] + b"alis\x00\x00\x00\x00" + data[at + 8 :])  # the samples are elsewhere, it says
    with contextlib.suppress(AudioError):
        audio.read(path)


def test_aac_in_wav_and_avi_is_read(tmp_path: Path) -> None:
    """Format tags that are no letters."""
    for name in ("in.avi", "in.wav"):
        samples = audio.read(mux(tmp_path / name, [AudioTrack(tone(1.0))], "aac"))[0][0]
        assert abs(len(samples) - RATE) < 4096
        assert np.abs(samples[4096:12000]).max() > 0.3


def test_a_rate_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "fast.wav"
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, 0xFFFFFFFF, 0, 2, 16)
    path.write_bytes(b"RIFF" + b"\xff" * 4 + b"WAVEfmt " + fmt + b"data" + b"\xff" * 4 + bytes(4000))
    with pytest.raises(AudioError):
        audio.read(path)


def test_from_python(tmp_path: Path, speech_folder: Path) -> None:
    tracks = [AudioTrack(np.zeros(RATE, np.float32), lambda _: 0.5), AudioTrack(tone(1.0), lambda _: 0.5)]
    path = mux(tmp_path / "film.mkv", tracks, film_seconds=2.0)
    separator = unbraid.Separator(speech_folder)
    run = separator.blocks(path, track="auto")
    stems = list(run)
    separator.close()
    assert sum(block["voice1"].shape[1] for block in stems) == round(1.5 * RATE)
    assert [notice.split(" (")[0].split(" s ")[0] for notice in run.diagnostics.notices] == [
        "it has 2 audio tracks",
        "its audio starts 0.500",
    ]
    voices = unbraid.separate(path, speech_folder, track=1, reading=unbraid.ReadOptions(skip_damage=True))
    assert voices["voice1"].shape == (1, round(1.5 * RATE))
