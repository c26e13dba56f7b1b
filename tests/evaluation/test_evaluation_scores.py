"""The scores: known signals give known decibels, peers agree, and silence never becomes a number or a NaN."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.dsp.metrics import si_sdr_improvement
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.evaluation.bss import TAPS, bss_sdr
from unbraid.evaluation.measures import choose_measures, measures_at
from unbraid.evaluation.speech.scoring import is_silent, score_mixture

RATE = 8000
NUMPY = measures_at(RATE)[:2]  # SI-SDR, SDR


def talk(seconds: float = 3.0, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Something that PESQ and STOI take for speech: harmonics in syllables, (T,)."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * (110 + 35 * seed) * (time + 0.02 * np.sin(2 * np.pi * 1.3 * time))
    voiced = sum(np.sin(k * pitch) / k for k in range(1, 15))
    syllables = np.clip(np.sin(2 * np.pi * (2.7 + 0.4 * seed) * time + seed), 0, None)
    return (0.1 * syllables * voiced + 1e-4 * random.normal(size=time.size)).astype(np.float32)


def white(sources: int, samples: int = 8000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (sources, samples)).astype(np.float32)


# --- SDR of BSS Eval


def test_a_filtered_reference_is_no_distortion() -> None:
    """Whatever 512 taps can do to a reference counts as the reference; one more tap does not."""
    (s,) = white(1, 16000)
    late = np.stack([np.pad(s, (delay, 0))[: s.size] for delay in (0, TAPS - 1, TAPS)])
    late[0] = np.convolve(s, np.hanning(100))[: s.size]
    within, at_the_end, beyond = bss_sdr(late, s)
    assert within > 25  # what the cut at the end takes away is all that is missing
    assert at_the_end > 14
    assert beyond < -10


def test_orthogonal_noise_gives_its_ratio() -> None:
    s, n = white(2, 400_000)
    (score,) = bss_sdr((s + 0.1 * n)[None], s)
    assert score == pytest.approx(20, abs=0.1)


def test_sdr_is_that_of_fast_bss_eval() -> None:
    peer = pytest.importorskip("fast_bss_eval")
    references = np.stack([talk(seed=0), talk(seed=1)]).astype(np.float64)
    estimates = np.stack([references[0] + 0.2 * references[1], 0.3 * references[0] + references[1]])
    estimates += white(2, references.shape[1])[:, :] * 0.05
    theirs, *_ = peer.bss_eval_sources(references, estimates, filter_length=TAPS)
    ours = [bss_sdr(e[None], s)[0] for e, s in zip(estimates, references, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=1e-3)  # dB


def test_a_tone_as_reference_can_be_solved() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    exact, noisy = bss_sdr(np.stack((tone, tone + white(1, RATE)[0])), tone)
    assert exact > 20 > noisy > 5


@given(gain=st.floats(1e-3, 1e3), samples=st.integers(2, 3000), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_sdr_knows_no_level_and_is_finite_at_any_length(gain: float, samples: int, seed: int) -> None:
    s, e = white(2, samples, seed).astype(np.float64)
    plain, loud = bss_sdr(np.stack((e, gain * e)), s)
    assert math.isfinite(plain)
    rounding = 1e-14 * 10 ** (plain / 10)  # of a target that is nearly all of a few samples
    assert loud == pytest.approx(plain, abs=1e-6 + rounding)


# --- measures


def test_every_measure_says_its_variant() -> None:
    narrow = [measure.title for measure in measures_at(8000)]
    assert narrow == [
        "SI-SDR (= SI-SNR, means removed), dB",
        "SDR (BSS Eval 3, 512 taps), dB",
        "PESQ-NB (narrow-band 8 kHz, MOS-LQO of P.862.1)",
        "STOI (classic, 10 kHz)",
    ]
    assert measures_at(16000)[2].title == "PESQ-WB (wide-band 16 kHz, MOS-LQO of P.862.2)"
    assert measures_at(16000)[2].column == "pesq_wb_mos_lqo"


@pytest.mark.parametrize("rate", [8000, 16000])
def test_pesq_and_stoi_prefer_the_clean_one(rate: int) -> None:
    pytest.importorskip("pesq"), pytest.importorskip("pystoi")
    clean = talk(rate=rate)
    noisy = clean + 0.1 * white(1, clean.size)[0]
    for measure in measures_at(rate)[2:]:
        best, worse = measure.score(np.stack((clean, noisy)), clean)
        assert best > worse
        assert best == pytest.approx({"pesq": 4.55 if rate == 8000 else 4.64, "stoi": 1.0}[measure.key], abs=0.01)


@pytest.mark.parametrize("seconds", [0.01, 0.2])
def test_what_is_too_short_for_a_measure_has_no_score(seconds: float) -> None:
    pytest.importorskip("pesq"), pytest.importorskip("pystoi")
    clip = white(1, round(seconds * RATE))
    for measure in measures_at(RATE)[2:]:
        assert np.isnan(measure.score(clip, clip[0])).all(), measure.name


def test_missing_packages_are_skipped_with_a_sentence_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pesq", "pystoi"):
        monkeypatch.setitem(sys.modules, package, None)
    measures, skipped = choose_measures(None, RATE)
    assert [measure.key for measure in measures] == ["si-sdr", "sdr"]
    assert skipped == [
        "PESQ-NB needs the package pesq, which is not installed; get it with `pip install pesq`. It is left out.",
        "STOI needs the package pystoi, which is not installed; get it with `pip install pystoi`. It is left out.",
    ]
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_measures(["si-sdr", "stoi"], RATE)
    assert str(caught.value) == (
        "STOI needs the package pystoi, which is not installed; get it with `pip install pystoi`."
    )


def test_measures_are_chosen_by_name() -> None:
    measures, skipped = choose_measures(["sdr", "si-sdr", "sdr"], RATE)
    assert ([measure.key for measure in measures], skipped) == (["si-sdr", "sdr"], [])
    with pytest.raises(UsageError) as caught:
        choose_measures(["snr"], RATE)
    assert str(caught.value) == "There is no metric 'snr'; choose among si-sdr, sdr, pesq, stoi."
    with pytest.raises(UsageError) as caught:
        choose_measures([], RATE)
    assert str(caught.value) == "No metric is named; choose among si-sdr, sdr, pesq, stoi."


# --- one mixture


def test_the_best_order_is_found_and_kept_for_every_measure() -> None:
    references = white(3)
    mixture = references.sum(0)
    estimates = 0.9 * references + 0.1 * mixture
    straight = score_mixture(estimates, references, mixture, NUMPY)
    turned = score_mixture(estimates[[2, 0, 1]], references, mixture, NUMPY)
    assert (straight.order, turned.order) == ((0, 1, 2), (1, 2, 0))
    assert turned.scores == straight.scores
    si_sdr = straight.scores["si-sdr"]
    assert si_sdr.mixture == pytest.approx(-3, abs=0.2)
    assert si_sdr.estimate == pytest.approx(17, abs=0.2)
    assert si_sdr.improvement == si_sdr.estimate - si_sdr.mixture


def test_the_improvement_is_that_of_the_definition() -> None:
    references = white(2)
    estimates = references[::-1] + 0.3 * white(2, seed=1)
    mixture = references.sum(0)
    ours = score_mixture(estimates, references, mixture, NUMPY).scores["si-sdr"].improvement
    assert ours == pytest.approx(si_sdr_improvement(estimates, references, mixture), abs=1e-9)


def test_silence_is_left_out_and_counted() -> None:
    references = white(2)
    mixture = references.sum(0)
    good = references + 0.1 * white(2, seed=1)
    mute = np.zeros_like(mixture)

    ghost = score_mixture(good, np.stack((references[0], mute)), mixture, NUMPY)
    assert (ghost.silent_references, ghost.silent_estimates, ghost.order[0]) == (1, 0, 0)
    shy = score_mixture(np.stack((mute, good[1])), references, mixture, NUMPY)
    assert (shy.silent_references, shy.silent_estimates, shy.order) == (0, 1, (0, 1))
    for scored in (ghost, shy):
        assert all(score.left_out == 1 and math.isfinite(score.improvement) for score in scored.scores.values())

    for estimates, sources, sound in ((good, 0 * references, mixture), (0 * good, references, mixture),
                                      (good, references, mute), (0 * good, 0 * references, mute)):  # fmt: skip
        nothing = score_mixture(estimates, sources, sound, NUMPY).scores
        assert all(score.left_out == 2 and math.isnan(score.improvement) for score in nothing.values())


def test_silence_is_below_a_hundred_decibels() -> None:
    tone = np.sin(np.arange(8000)).astype(np.float32)
    assert is_silent(1e-5 * tone)
    assert not is_silent(2e-5 * tone)
    assert is_silent(np.full(100, 0.5, np.float32))  # means are removed
    assert is_silent(np.zeros(0, np.float32))
