"""Mixtures through a separator: what is perfect scores as perfect, and a mixture that fails stops no other."""

import sys
import tracemalloc
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import copies, even_and_odd, speech_fake, speech_spec
from unbraid import audio
from unbraid.corpora import Clip, Mixture
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.errors import AudioError, UsageError
from unbraid.evaluation.measures import measures_at
from unbraid.evaluation.report import Setting
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import WORST
from unbraid.evaluation.speech.report import report
from unbraid.evaluation.speech.run import MixtureCase, SpeechEvaluation, separate_and_score
from unbraid.files.peak_memory import peak_memory
from unbraid.tasks.separation.separator import Separator

RATE = 8000
MEASURES = measures_at(RATE)[:2]


def write(path: Path, samples: np.ndarray) -> Clip:
    audio.write(path, samples[None].astype(np.float32), RATE, audio.choose_format("wav", subtype="32f"))
    return Clip(path)


def mixture(folder: Path, number: int, samples: int = 2000) -> Mixture:
    """Two noises, one in the even samples and the other, louder with the number, in the odd ones."""
    voices = np.random.default_rng(number).normal(0, 0.1, (2, samples))
    voices[0, 1::2] = voices[1, 0::2] = 0
    voices[1] *= 1 + number
    names = [f"m{number}-{i}.wav" for i in range(2)]
    return Mixture(f"m{number}", tuple(write(folder / n, v) for n, v in zip(names, voices, strict=True)))


def scored_by(separator: Separator) -> Callable[[Mixture], MixtureCase]:
    return lambda mixture: separate_and_score(separator, mixture, MEASURES)


def test_a_perfect_separator_scores_as_one(tmp_path: Path) -> None:
    separator = Separator.over(speech_fake(even_and_odd), speech_spec())
    case = separate_and_score(separator, mixture(tmp_path, 0), MEASURES)
    assert case.result.scored.order == (0, 1)
    assert case.result.scored.scores["si-sdr"].estimate > 60
    assert case.result.scored.scores["si-sdr"].mixture == pytest.approx(0, abs=0.5)
    assert case.result.seconds == 0.25
    assert case.result.wall_seconds > 0
    np.testing.assert_allclose(case.estimates, case.references, atol=1e-3)


def test_a_separator_that_does_nothing_gains_nothing(tmp_path: Path) -> None:
    separator = Separator.over(speech_fake(copies(2)), speech_spec())
    case = separate_and_score(separator, mixture(tmp_path, 1), MEASURES)
    for score in case.result.scored.scores.values():
        assert score.improvement == pytest.approx(0, abs=0.01)


def test_a_residual_is_no_estimate(tmp_path: Path) -> None:
    separator = Separator.over(speech_fake(copies(1)), speech_spec(1))
    whole = mixture(tmp_path, 0)
    case = separate_and_score(separator, Mixture("a", whole.sources[:1], noise=whole.sources[1]), MEASURES)
    assert case.estimates.shape == (1, 2000)


def test_a_failure_stops_no_other(tmp_path: Path) -> None:
    separator = Separator.over(speech_fake(even_and_odd), speech_spec())
    missing = Mixture("gone", (Clip(tmp_path / "no.wav"), Clip(tmp_path / "no.wav")))
    evaluation = SpeechEvaluation(MEASURES)
    failure, none = evaluation.run([missing, mixture(tmp_path, 0)], scored_by(separator))
    assert (failure and failure.name, none, len(evaluation.results)) == ("gone", None, 1)


def test_the_worst_are_kept_and_no_more(tmp_path: Path) -> None:
    """The larger the number, the more uneven the voices, and the less can be gained."""
    separator = Separator.over(speech_fake(lambda x: even_and_odd(x) + 0.2 * x[:, None]), speech_spec())
    evaluation, mixtures = SpeechEvaluation(MEASURES), [mixture(tmp_path, i) for i in range(WORST + 3)]
    assert list(evaluation.run(mixtures, scored_by(separator))) == [None] * (WORST + 3)
    gains = [result.scored.scores["si-sdr"].improvement for result in evaluation.results]
    worst = [case.result.scored.scores["si-sdr"].improvement for case in evaluation.worst.cases]
    assert worst == sorted(gains)[:WORST]


def test_noise_has_its_ratio_and_is_the_same_each_time(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    short, mute = write(tmp_path / "n.wav", random.normal(size=700)), write(tmp_path / "0.wav", np.zeros(500))
    speech = random.normal(0, 0.1, 4000).astype(np.float32)
    noise = AddedNoise((mute, short), 5.0)
    loud = noisy(speech, "some", RATE, noise)
    added = loud.astype(np.float64) - speech
    assert 10 * np.log10(np.mean(np.square(speech, dtype=float)) / np.mean(added**2)) == pytest.approx(5, abs=1e-3)
    np.testing.assert_array_equal(noisy(speech, "some", RATE, noise), loud)
    assert np.any(noisy(speech, "other", RATE, noise) != loud)
    np.testing.assert_array_equal(noisy(0 * speech, "some", RATE, noise), 0 * speech)
    with pytest.raises(AudioError) as caught:
        noisy(speech, "some", RATE, AddedNoise((mute,), 5.0))
    assert str(caught.value) == ("10 noises drawn for some are all silent; take the silent ones out of the folder.")


def test_clean_voices_are_nothing_to_clean(tmp_path: Path) -> None:
    for speaker in "abcdefgh":
        (tmp_path / speaker).mkdir()
        write(tmp_path / speaker / "1.wav", np.random.default_rng(0).normal(0, 0.1, 2 * RATE))
    with pytest.raises(UsageError) as caught:
        EvaluationRequest(tmp_path, layout="speakers").mixtures(speech_spec(1))
    assert str(caught.value) == (
        f"The voices of {tmp_path} have no noise, which a model of one voice takes away; "
        "add some by --noise FOLDER --snr DB."
    )
    assert EvaluationRequest(tmp_path, layout="speakers", noise=tmp_path, snr_db=5, limit=1).mixtures(speech_spec(1))


def test_peak_memory_never_falls() -> None:
    tracemalloc.stop()
    before = peak_memory()
    block = np.ones(10_000_000)  # 80 MB
    after = peak_memory()
    assert before is not None
    assert after is not None
    assert after >= before > 10_000_000
    assert block.nbytes == 80_000_000


# --- the report


class Balanced(HTMLParser):
    """Checks that every element is closed, and keeps what there is."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def evaluation(tmp_path: Path) -> SpeechEvaluation:
    separator = Separator.over(speech_fake(even_and_odd), speech_spec())
    mixtures = [mixture(tmp_path, i) for i in range(3)]
    found = SpeechEvaluation(MEASURES)
    list(found.run([*mixtures, Mixture("<b>", (Clip(tmp_path / "no.wav"),))], scored_by(separator)))
    return found


def parsed(evaluation: SpeechEvaluation, setting: Setting) -> Balanced:
    html = report(evaluation, setting).page
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert "http" not in html.replace("http-equiv=", "")  # it needs nothing but itself
    return parser


def test_the_report_is_one_file_with_pictures_and_sounds(evaluation: SpeechEvaluation, setting) -> None:
    pytest.importorskip("matplotlib")
    shown = parsed(evaluation, setting(speech_spec(), 10**8, drawn=True))
    images = [attributes for tag, attributes in shown.tags if tag == "img"]
    sounds = [attributes for tag, attributes in shown.tags if tag == "audio"]
    assert len(images) == 2 + 3 * 5  # histogram, scatter, a spectrogram of each signal of each case
    assert all((image["src"] or "").startswith("data:image/png;base64,iVBOR") and image["alt"] for image in images)
    assert len(sounds) == 3 * 5
    assert all((sound["src"] or "").startswith("data:audio/flac;base64,ZkxhQ") for sound in sounds)
    for words in ("The 3 worst cases", "SI-SDRi", "means removed", "95 % interval", "Peak memory", "<b>: "):
        assert words in shown.text


def test_without_matplotlib_the_report_has_the_rest(
    evaluation: SpeechEvaluation, setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    shown = parsed(evaluation, setting(speech_spec(), 10**8, drawn=True))
    tags = [tag for tag, _ in shown.tags]
    assert (tags.count("img"), tags.count("audio")) == (3 * 5, 3 * 5)
    assert "matplotlib is not installed; get it with `pip install matplotlib`" in shown.text


def test_a_report_without_a_single_score(tmp_path: Path, setting) -> None:
    separator = Separator.over(speech_fake(even_and_odd), speech_spec())
    mute = write(tmp_path / "mute.wav", np.zeros(800))
    found = SpeechEvaluation(MEASURES)
    list(found.run([Mixture("mute", (mute, mute))], scored_by(separator)))
    shown = parsed(found, setting(speech_spec(), 10**8))
    assert "worst case" not in shown.text
    assert "2 of 2 voices left out" in shown.text
