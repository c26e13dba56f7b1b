"""Paired comparison: what the statistics are, which columns are measures, and which rows belong together."""

from pathlib import Path

import numpy as np
import pytest

from unbraid.errors import UsageError
from unbraid.evaluation.comparison import EXCHANGES, compare, items_table, verdict
from unbraid.evaluation.scores import SCALES, ItemScores, load_scores, read_scores, score_file

SI_SDR = "si_sdr_zero_mean_db"


def table(column: str, values, name: str = "a", key: str = "name") -> ItemScores:
    lines = [f"item{k},{value}" for k, value in enumerate(values)]
    return read_scores("\n".join([f"{key},{column}", *lines]), name, name)


def errors(edits, words, name: str = "a") -> ItemScores:
    lines = [f"r{k},{e},{w}" for k, (e, w) in enumerate(zip(edits, words, strict=True))]
    return read_scores("\n".join(["recording,edits,words", *lines]), name, name)


def test_a_constant_gain_is_certain() -> None:
    """Its interval is a point. Of 2^8 ways to exchange eight pairs, two reach it: none exchanged, and all."""
    (found,) = compare(table(SI_SDR, range(1, 9)), table(SI_SDR, range(8)))
    assert found.gain == pytest.approx(1)
    assert found.interval == pytest.approx((1, 1))
    assert found.p == pytest.approx(2 / 2**8, abs=4 * np.sqrt(2 / 2**8 / EXCHANGES))
    assert (found.better, found.worse, found.items, found.left_out) == (8, 0, 8, 0)
    assert verdict(found, "new", "old") == (
        f"new is 1.00 dB better than old in SI-SDR (95 % interval 1.00 to 1.00, p = {found.p:.3f}, "
        "better on 8 of 8 items)."
    )
    (other_way,) = compare(table(SI_SDR, range(8)), table(SI_SDR, range(1, 9)))
    assert (other_way.gain, other_way.p) == (pytest.approx(-1), found.p)
    assert verdict(other_way, "old", "new") == verdict(found, "new", "old")


def test_the_statistics_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    a, b = random.normal(0.3, 1, 40).round(4), random.normal(0, 1, 40).round(4)
    (found,) = compare(table(SI_SDR, a), table(SI_SDR, b))
    each = a - b

    def mean(values, axis):
        return np.mean(values, axis=axis)

    theirs = stats.permutation_test((each,), mean, permutation_type="samples", n_resamples=9999, rng=1)
    assert found.p == pytest.approx(theirs.pvalue, abs=0.02)
    interval = stats.bootstrap((each,), mean, method="percentile", n_resamples=9999, rng=1).confidence_interval
    assert found.interval == pytest.approx((interval.low, interval.high), abs=0.05)


def test_equal_scores_differ_in_nothing() -> None:
    (found,) = compare(table(SI_SDR, [1, 2, 3]), table(SI_SDR, [1, 2, 3]))
    assert (found.gain, found.interval, found.p, found.is_clear) == (0, (0, 0), 1, False)
    assert verdict(found, "a", "b") == "a and b score the same in SI-SDR on each of 3 items."


def test_a_difference_within_chance_is_called_so() -> None:
    (found,) = compare(table(SI_SDR, [1, 5, 1, 5]), table(SI_SDR, [5, 1, 5, 0]))
    assert verdict(found, "a", "b").startswith(
        "No clear difference: a is 0.25 dB better than b in SI-SDR, which may be"
    )


def test_error_rates_are_pooled_and_lower_is_better() -> None:
    """2 of 110 words instead of 11 of 110, though the means of the recordings' rates would be 6 and 10 %."""
    (found,) = compare(errors([1, 1], [10, 100]), errors([1, 10], [10, 100]))
    assert found.scale.name == "word error rate"
    assert found.means == pytest.approx((200 / 110, 1100 / 110))
    assert found.gain == pytest.approx(900 / 110)
    assert (found.better, found.worse) == (1, 0)
    assert found.as_json()["lower_is_better"]


def test_stems_of_a_song_count_together() -> None:
    head = "name,stem,usdr_db"
    a = read_scores(f"{head}\nx,vocals,5\nx,drums,3\ny,vocals,1\ny,drums,\n", "a", "a")
    b = read_scores(f"{head}\nx,vocals,4\nx,drums,4\ny,vocals,0\ny,drums,9\n", "b", "b")
    (found,) = compare(a, b)
    assert (found.items, found.better, found.worse) == (2, 1, 0)  # the two stems of x differ in opposite directions
    assert found.means == pytest.approx((3, 8 / 3))  # drums of y are in neither mean


def test_items_of_one_model_alone_are_left_out() -> None:
    (found,) = compare(table(SI_SDR, [1, 2, 3, "", 5]), table(SI_SDR, [1, 2, 3, 4]))
    assert (found.items, found.left_out) == (3, 2)
    with pytest.raises(UsageError, match="^a and b have no scored item in common; compare them on the same data"):
        compare(table(SI_SDR, [1]), table(SI_SDR, [""], "b"))
    with pytest.raises(UsageError, match="have no scored item in common"):
        compare(table(SI_SDR, [1]), table("usdr_db", [1], "b"))


def test_the_table_of_items_holds_both_scores() -> None:
    a, b = table(SI_SDR, [1.5, 2]), table(SI_SDR, [1, 3])
    text = items_table(compare(a, b), a, b).csv()
    assert text == "name,si_sdr_a,si_sdr_b,si_sdr_difference\nitem0,1.5000,1.0000,0.5000\nitem1,2.0000,3.0000,-1.0000\n"


def test_repeated_items_are_matched_in_order() -> None:
    """Pairs whose sources are the same: the first with the first, the second with the second."""
    a = read_scores("source,edits,symbols\nhi,0,2\nhi,2,2\n", "a", "a")
    b = read_scores("source,edits,symbols\nhi,1,2\nhi,2,2\n", "b", "b")
    (found,) = compare(a, b)
    assert (found.items, found.means) == (1, (50, 75))


def test_every_scale_is_told_apart() -> None:
    assert len({scale.key for scale in SCALES}) == len(SCALES)


def test_scores_are_read_from_a_file_or_the_folder_of_an_evaluation(tmp_path: Path) -> None:
    folder = tmp_path / "speech-test"
    folder.mkdir()
    (folder / "mixtures.csv").write_text(f"name,{SI_SDR}\nx,1\n")
    assert score_file(folder) is None  # not that of an evaluation
    (folder / "report.html").touch()
    assert score_file(folder) == folder / "mixtures.csv"
    assert score_file(tmp_path / "missing.csv") is None
    assert load_scores(folder / "mixtures.csv").name == "speech-test"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no scores of single items; name the table of an evaluation, such as mixtures.csv.$"),
        ("a,b\n1,2\n", "has no scores of single items"),
        ("name,b\n1,2\n", "has none of the columns si_sdr_zero_mean_db, "),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UsageError, match=message):
        load_scores(tmp_path / "a.csv")
