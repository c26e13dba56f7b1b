"""Beats, key and chords of a song whose truth is known, and honest answers where there is none."""

import numpy as np
import pytest

import song_fakes
from song_fakes import CHORDS, RATE, STEMS, beats_of_song, stems_of
from unbraid.tasks.analysis import beat_path
from unbraid.tasks.analysis.beats import Beats, beats_of, evidence_of, tempo
from unbraid.tasks.analysis.chords import Chord, chord_name, chords_of, likeliest
from unbraid.tasks.analysis.key import PITCH_CLASSES, PROFILES, key_fits, key_of
from unbraid.tasks.analysis.music_features import MusicFeatures, MusicFeatureStream
from unbraid.tasks.analysis.weights import beat_weights


def features(stems: dict[str, np.ndarray], rate: int = RATE) -> MusicFeatures:
    stream = MusicFeatureStream(rate)
    for start in range(0, stems["drums"].shape[1], rate):
        stream.push({stem: sound[:, start : start + rate] for stem, sound in stems.items()})
    return stream.finish()


@pytest.fixture(scope="module")
def song() -> MusicFeatures:
    return features(stems_of())


def share_found(beats: Beats, truth: list[float]) -> float:
    return float(np.mean([np.abs(beats.times - time).min() <= 0.07 for time in truth[2:-2]]))


@pytest.mark.parametrize("bpm", [92.0, 120.0, 133.0])
def test_beats_and_tempo(bpm: float) -> None:
    beats = beats_of(features(stems_of(bpm=bpm)))
    assert beats.reason is None
    assert beats.bpm == pytest.approx(bpm, rel=0.01)
    assert share_found(beats, beats_of_song(bpm=bpm)) == 1
    assert (beats.stem, beats.seconds) == ("drums, bass, other, vocals", pytest.approx(0.75 + 8 * 240 / bpm, abs=0.01))


def test_beats_follow_a_change_of_tempo() -> None:
    one, other = stems_of(bars=8, bpm=100.0), stems_of(bars=8, bpm=125.0)
    whole = {stem: np.concatenate((one[stem], other[stem]), 1) for stem in STEMS}
    beats, second = beats_of(features(whole)), one["drums"].shape[1] / RATE
    assert share_found(beats, beats_of_song(bpm=100.0)) > 0.9
    late = Beats(beats.times - second)
    assert share_found(late, beats_of_song(bpm=125.0)[4:]) > 0.9


def test_long_songs_are_decoded_in_passages(song: MusicFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, weights = evidence_of(song), beat_weights()
    whole, _ = beat_path.best_path(evidence, weights)
    monkeypatch.setattr(beat_path, "_PASSAGE", 900)
    monkeypatch.setattr(beat_path, "_COMMITTED", 600)
    parts, _ = beat_path.best_path(evidence, weights)
    assert [beat.frame for beat in parts] == [beat.frame for beat in whole]


def test_level_and_rate_do_not_matter(song: MusicFeatures) -> None:
    soft = beats_of(features({stem: 0.1 * sound for stem, sound in stems_of().items()}))
    np.testing.assert_allclose(soft.times, beats_of(song).times, atol=0.011)


def test_tempo_is_the_mean_of_usual_intervals() -> None:
    assert tempo(np.array([0, 0.5, 1.01, 1.5, 2.5, 3.0])) == pytest.approx(60 / 0.5, rel=0.01)


@pytest.mark.parametrize("cents", [0.0, 35.0, -40.0])
def test_chords_and_key(cents: float) -> None:
    heard = features(stems_of(cents=cents))
    found = chords_of(heard, beats_of_song())
    for bar in range(8):
        middle = 0.25 + 2 * bar + 1.0
        (chord,) = [chord.name for chord in found if chord.start <= middle < chord.end]
        assert chord == list(CHORDS)[bar % 4]
    assert found.chords[0].start == 0
    assert found.chords[-1].end == pytest.approx(heard.seconds)
    key = key_of(heard)
    assert key.name in ("C major", "A minor")
    assert key.tuning_cents == pytest.approx(cents, abs=6)


def test_chords_without_beats_are_on_a_grid(song: MusicFeatures) -> None:
    assert {chord.name for chord in chords_of(song, [])} - {"N"} == set(CHORDS)


def test_chords_are_spelled_as_the_key() -> None:
    assert chord_name(10) == "A#:maj"
    assert chord_name(22, flats=True) == "Bb:min"
    assert chord_name(-1) == "N"
    assert (Chord(0, 1, "Bb:min").short, Chord(0, 1, "G:maj").short, Chord(0, 1, "N").short) == ("Bbm", "G", "N")


def test_a_chord_changes_only_if_it_pays() -> None:
    steady = np.log(np.array([[0.6, 0.4], [0.45, 0.55], [0.6, 0.4]]))
    assert likeliest(steady, 1.0).tolist() == [0, 0, 0]
    assert likeliest(steady, 0.0).tolist() == [0, 1, 0]


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_each_key_fits_its_own_profile(mode: str) -> None:
    for root in range(12):
        fits = key_fits(np.roll(PROFILES[mode], root).astype(np.float32))
        best = max(fits, key=lambda name: fits[name])
        assert best.endswith(mode)
        assert fits[best] == pytest.approx(1)
    assert max(key_fits(np.ones(12, np.float32)).values()) == 0
    assert PITCH_CLASSES[0] == "C"


def empty(seconds: float = 8.0) -> dict[str, np.ndarray]:
    return {stem: np.zeros((1, round(seconds * RATE)), np.float32) for stem in STEMS}


def test_silence() -> None:
    heard = features(empty())
    assert beats_of(heard).reason == key_of(heard).reason == chords_of(heard, []).reason == "it is silent"
    assert (len(beats_of(heard)), key_of(heard).name, len(chords_of(heard, []))) == (0, None, 0)


def test_a_voice_alone() -> None:
    voice = empty() | {"vocals": np.tile(song_fakes.tone(64, 1.0), 8)[None]}
    heard = features(voice)
    told = "only a voice is heard in it, no instruments"
    assert beats_of(heard).reason == key_of(heard).reason == chords_of(heard, []).reason == told


def test_drums_alone() -> None:
    heard = features(empty(stems_of()["drums"].shape[1] / RATE) | {"drums": stems_of()["drums"]})
    assert beats_of(heard).bpm == pytest.approx(120, rel=0.01)
    told = "only drums are heard in it"
    assert (key_of(heard).name, key_of(heard).reason, chords_of(heard, []).reason) == (None, told, told)


def test_one_second() -> None:
    short = features({stem: sound[:, :RATE] for stem, sound in stems_of().items()})
    assert beats_of(short).reason == "it is shorter than 6 s"
    assert key_of(short).reason == chords_of(short, []).reason == "it is shorter than 4 s"


def test_noise_has_no_beat() -> None:
    noise = empty(15.0) | {"drums": 0.1 * np.random.default_rng(0).standard_normal((1, 15 * RATE)).astype(np.float32)}
    found = beats_of(features(noise))
    assert (len(found), found.bpm, found.reason) == (0, None, "no steady pulse is heard in it")


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_nothing_at_all(rate: int) -> None:
    heard = MusicFeatureStream(rate).finish()
    assert beats_of(heard).reason == "it is silent"


def test_other_stems_are_refused() -> None:
    from unbraid.errors import UsageError

    with pytest.raises(UsageError, match="^Key and chords are found in the stems vocals, drums and bass; this"):
        MusicFeatureStream(RATE).push({"vocals": np.zeros((1, 8)), "accompaniment": np.zeros((1, 8))})
