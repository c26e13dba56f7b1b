"""Songs through a separator: known weights give known decibels, silence is counted, and nothing stops the others."""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import bands, music_fake, music_spec
from reference_scores import sdr
from unbraid import audio
from unbraid.audio import Reader
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.songs import Song
from unbraid.dsp.overlap import regrouped
from unbraid.evaluation.music.report import mean_improvement, report, stem_gains, table
from unbraid.evaluation.music.run import MusicEvaluation, SongResult, StemCase, separate_and_score_song
from unbraid.evaluation.music.scoring import StemExcerpt, StemScore, StemSums
from unbraid.evaluation.run import Failure
from unbraid.tasks.separation.separator import Separator

RATE = 8000
STEMS = ("vocals", "drums")


class Mixes:
    """A separator whose stems are the mixture times a weight each, in blocks of odd lengths."""

    spec = music_spec()

    def __init__(self, vocals: float = 0.75, drums: float = 0.25) -> None:
        self.weights = {"vocals": vocals, "drums": drums}

    def blocks(self, source: Path) -> Iterator[dict[str, np.ndarray]]:
        with Reader(source) as reader:
            for block in reader.blocks(3001):
                yield {stem: block * np.float32(weight) for stem, weight in self.weights.items()}


@pytest.fixture(autouse=True)
def tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary files are gone when a test is over."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield
    assert list((tmp_path / "tmp").iterdir()) == []


def sound(seed: int, seconds: float = 1.0, channels: int = 2, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (channels, round(seconds * rate))).astype(np.float32)


@pytest.fixture
def song(tmp_path: Path) -> Callable[..., Song]:
    """Write a song of parts, and the mixture if it is given."""

    def make(name: str = "song", mixture: np.ndarray | None = None, **parts: np.ndarray) -> Song:
        def clip(part: str, samples: np.ndarray) -> Clip:
            path = tmp_path / f"{name}-{part}.wav"
            audio.write(path, samples, RATE, audio.choose_format("wav", subtype="32f"))
            return Clip(path)

        clips = {part: (clip(part, samples),) for part, samples in parts.items()}
        return Song(name, clips, None if mixture is None else clip("mixture", mixture))

    return make


def scored_by(separator: Mixes, with_bss: bool = False) -> Callable[[Song], tuple[SongResult, list[StemCase]]]:
    return lambda song: separate_and_score_song(separator, song, with_bss)


def scores_of(result: SongResult) -> dict[str, StemScore]:
    return {score.stem: score for score in result.stems}


def test_scores_are_those_of_the_whole_song(song) -> None:
    """Longer than a piece of ten seconds, and known from the arrays."""
    vocals, drums = sound(0, 21.3), 0.5 * sound(1, 21.3)
    result, cases = separate_and_score_song(Mixes(), song(vocals=vocals, drums=drums))
    mixture = vocals + drums
    for score, reference, weight in zip(result.stems, (vocals, drums), (0.75, 0.25), strict=True):
        assert score.estimate == pytest.approx(float(sdr(weight * mixture, reference)), abs=1e-3)
        assert score.mixture == pytest.approx(float(sdr(mixture, reference)), abs=1e-3)
        assert score.improvement == score.estimate - score.mixture
    assert result.seconds == pytest.approx(21.3)
    assert result.wall_seconds > 0
    assert [case.score.stem for case in cases] == ["vocals", "drums"]
    assert all(case.excerpt.mixture.shape == (2, 10 * RATE) for case in cases)


def test_the_excerpt_is_where_the_error_is_loudest(song) -> None:
    vocals, drums = sound(0, 25), sound(1, 25)
    drums[:, 12 * RATE : 14 * RATE] *= 5
    _, (case, _) = separate_and_score_song(Mixes(), song(vocals=vocals, drums=drums))
    assert case.excerpt.start_seconds == 10
    np.testing.assert_array_equal(case.excerpt.reference, vocals[:, 10 * RATE : 20 * RATE])


def test_a_mixture_of_its_own_is_what_is_separated(song) -> None:
    """A mastered mixture is not the sum of its parts."""
    vocals = sound(0)
    result, _ = separate_and_score_song(Mixes(1, 0), song(mixture=2 * vocals, vocals=vocals))
    score = scores_of(result)["vocals"]
    assert (score.mixture, score.estimate) == pytest.approx((0, 0), abs=1e-4)  # Σ s² / Σ (s − 2 s)²


def test_what_is_absent_or_silent_is_left_out_and_counted(song, setting) -> None:
    evaluation = MusicEvaluation(with_bss=False)
    songs = [
        song("a", vocals=sound(0), drums=sound(1)),
        song("b", vocals=sound(2), other=sound(5)),
        song("c", vocals=sound(3), drums=1e-5 * sound(4), other=sound(6)),
    ]
    assert list(evaluation.run(songs, scored_by(Mixes(0, 1)))) == [None] * len(songs)
    states = [[score.state for score in result.stems] for result in evaluation.results]
    assert states == [["scored", "scored"], ["scored", "absent"], ["scored", "silent"]]
    assert len(evaluation.worst.cases) == 4
    vocals, drums = stem_gains(evaluation, STEMS)
    assert (vocals.usdr.improvement.n, vocals.mute, vocals.left_out) == (3, 3, 0)
    assert vocals.usdr.estimate.mean == pytest.approx(0)  # of silent estimates
    assert (drums.usdr.improvement.n, drums.songs["absent"], drums.songs["silent"]) == (1, 1, 1)
    text = "\n".join(report(evaluation, setting(music_spec())).lines)
    assert "drums: 2 of 3 songs left out (1 without it, 1 with it silent)" in text
    assert "vocals: 3 of 3 estimates are silent; their uSDR is 0 dB" in text


def test_a_stem_alone_has_nothing_to_gain(song, setting) -> None:
    """A song in a format of 16 bits differs from its only stem by rounding, which is no 77 dB to lose."""
    vocals = sound(0)
    rounded = np.round(vocals * 32767) / np.float32(32767)
    evaluation = MusicEvaluation(with_bss=False)
    list(evaluation.run([song(mixture=rounded, vocals=vocals)], scored_by(Mixes())))
    assert [score.state for score in evaluation.results[0].stems] == ["alone", "absent"]
    found = stem_gains(evaluation, STEMS)
    assert (found[0].usdr.improvement.n, found[0].songs["alone"], mean_improvement(found)) == (0, 1, None)
    assert "vocals: 1 of 1 songs left out (1 with it alone)" in report(evaluation, setting(music_spec())).lines


@pytest.mark.parametrize(
    "stereo",
    [
        lambda x: np.stack((x, 0 * x)),
        lambda x: np.stack((x, -x)),
        lambda x: x[None],
        lambda x: np.clip(20 * np.stack((x, x)), -1, 1),
        lambda x: np.stack((x, x)) + 0.3,
    ],
    ids=["one silent channel", "anti-phase", "mono", "clipping", "DC"],
)
def test_odd_sounds_have_scores(song, stereo) -> None:
    odd = {part: stereo(sound(seed, channels=1)[0]) for seed, part in enumerate(("vocals", "drums"))}
    for separator, with_bss in ((Mixes(0.5, 0.5), True), (Separator.over(music_fake(bands(2)), music_spec()), False)):
        result, cases = separate_and_score_song(separator, song(**odd), with_bss)
        assert [score.state for score in result.stems] == ["scored"] * 2
        for score in result.stems:
            assert np.isfinite([score.improvement, *score.bss.values()]).all()
            assert sorted(score.bss) == (["ISR", "SAR", "SDR", "SIR"] if with_bss else [])
        assert all(case.excerpt.mixture.shape == (2, RATE) for case in cases)


def test_eight_bits_and_other_rates_have_scores(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "v.wav", sound(0, rate=44100).T, 44100, subtype="PCM_U8")
    soundfile.write(tmp_path / "d.wav", sound(1, rate=RATE).T, RATE, subtype="PCM_16")
    parts = {"vocals": (Clip(tmp_path / "v.wav"),), "drums": (Clip(tmp_path / "d.wav"),)}
    result, _ = separate_and_score_song(Mixes(), Song("rates", parts))
    assert np.isfinite([score.improvement for score in result.stems]).all()
    assert result.seconds == 1


def test_stems_of_different_length_fail_in_a_sentence_and_stop_no_other(song) -> None:
    uneven = song("uneven", vocals=sound(0, 2), drums=sound(1, 1))
    evaluation = MusicEvaluation(with_bss=False)
    even = song("even", vocals=sound(0), drums=sound(1))
    failure, none = evaluation.run([uneven, even], scored_by(Mixes()))
    assert isinstance(failure, Failure)
    assert failure.name == "uneven"
    assert "lasts 2.000 s but" in str(failure.error)
    assert (none, [result.name for result in evaluation.results]) == (None, ["even"])


def test_bss_eval_rests_on_the_frames_in_which_all_stems_sound(song, setting) -> None:
    vocals, drums = sound(0, 3.5), sound(1, 3.5)
    vocals[:, RATE : 2 * RATE] = 0
    result, _ = separate_and_score_song(Mixes(0.5, 0.5), song(vocals=vocals, drums=drums), with_bss=True)
    assert result.bss_frames == (2, 3)
    for score in result.stems:
        assert score.bss["SDR"] == pytest.approx(10 * np.log10(2), abs=0.2)  # s² / (s / 2 − d / 2)²
        assert score.bss["SIR"] == pytest.approx(0, abs=0.6)
    text = "\n".join(report(MusicEvaluation(True, results=[result]), setting(music_spec())).lines)
    assert "BSS Eval 4: 1 of 3 frames left out, in which a stem that the song has is silent" in text
    assert "SDR, ISR, SIR, SAR (BSS Eval 4 as museval, 512 taps, median over frames of 1 s), dB" in text


def test_blocks_are_joined_to_one_size() -> None:
    wave = sound(0)
    cuts = np.split(wave, [1, 700, 701, 5000], axis=1)
    pieces = list(regrouped(iter(cuts), 1500))
    assert [piece.shape[1] for piece in pieces] == [1500] * 5 + [500]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), wave)


def test_a_perfect_estimate_has_the_highest_score() -> None:
    sums, wave = StemSums("vocals"), sound(0)
    sums.add(StemExcerpt(0, 2 * wave, wave, wave))
    assert sums.score({}).estimate == pytest.approx(120)


# --- what is told


@pytest.fixture
def evaluation() -> MusicEvaluation:
    """Two songs, of which one has no drums, and one that failed."""

    def score(stem: str, estimate: float) -> StemScore:
        return StemScore(stem, "scored", 1.0, estimate, bss=dict.fromkeys(("SDR", "ISR", "SIR", "SAR"), 2.0))

    found = MusicEvaluation(with_bss=True)
    excerpt = StemExcerpt(10.0, *(sound(seed, 0.2) for seed in range(3)))
    for name, drums in (("a,b", score("drums", 5.0)), ("c", StemScore("drums", "absent"))):
        scores = (score("vocals", 4.0), drums)
        cases = [StemCase(name, s, excerpt) for s in scores if s.state == "scored"]
        found.add((SongResult(name, 2.0, 0.5, 0.8, scores, (1, 2)), cases))
    found.failures.append(Failure("<gone>", ValueError("x")))
    return found


def test_json_has_a_line_for_each_stem_and_metric(evaluation: MusicEvaluation, setting) -> None:
    told = report(evaluation, setting(music_spec(), 10**8)).values
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["songs"], told["failed"], told["peak_memory_mb"]) == (2, ["<gone>"], 100.0)
    found = [(score["stem"], score["metric"]) for score in told["scores"]]
    assert found == [(stem, name) for stem in ("vocals", "drums") for name in ("uSDR", "SDR", "ISR", "SIR", "SAR")]
    usdr = told["scores"][5]
    assert usdr["variant"] == "10 log10(Σ s² / Σ (s − ŝ)²), whole song, all channels"
    assert usdr["improvement"]["n"] == 1
    assert (usdr["songs_without_the_stem"], usdr["songs_with_the_stem_silent"], usdr["silent_estimates"]) == (1, 0, 0)
    assert usdr["improvement"]["mean"] == 4
    assert told["mean_improvement_db"] == 3.5
    assert told["bss_eval_frames"] == {"scored": 2, "all": 4}
    assert told["real_time_factor"] == {"wall": 0.25, "cpu": 0.4}


def test_the_table_has_a_row_for_each_stem_of_each_song(evaluation: MusicEvaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(table(evaluation).csv())))
    assert [(row["name"], row["stem"], row["reference"]) for row in rows] == [
        ("a,b", "vocals", "scored"), ("a,b", "drums", "scored"), ("c", "vocals", "scored"), ("c", "drums", "absent"),
    ]  # fmt: skip
    columns = ("usdr_db", "usdr_db_of_mixture", "usdr_db_improvement", "bss_eval_4_sar_db")
    assert [rows[1][column] for column in columns] == ["5.0000", "1.0000", "4.0000", "2.0000"]
    assert (rows[3]["usdr_db"], rows[3]["bss_eval_4_sdr_db"], rows[0]["bss_eval_4_frames"]) == ("", "", "1")


def test_the_report_has_a_table_for_each_stem_and_the_worst_cases(evaluation: MusicEvaluation, setting) -> None:
    pytest.importorskip("matplotlib")
    html = report(evaluation, setting(music_spec(), 10**8, drawn=True)).page
    assert "http" not in html.replace("http-equiv=", "")
    for words in ("Every song: vocals", "Every song: drums", "The 3 worst cases", "&lt;gone&gt;: ", "museval"):
        assert words in html
    assert html.count("<img ") == 1 + 3 * 3  # how gains are spread, and a spectrogram of each signal of each case
    assert html.count("<audio ") == 3 * 3


def test_a_song_without_any_stem_of_the_model_leaves_a_report(song, setting) -> None:
    found = MusicEvaluation(with_bss=True)
    list(found.run([song(drums=0 * sound(0))], scored_by(Mixes(), with_bss=True)))
    told = report(found, setting(music_spec()))
    assert told.values["mean_improvement_db"] is None
    assert "worst case" not in told.page
