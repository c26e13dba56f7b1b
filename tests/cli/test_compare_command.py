"""`unbraid compare`: two models on a dataset, two earlier evaluations, or one of each."""

import csv
import json
from pathlib import Path

import pytest

SI_SDR = "si_sdr_zero_mean_db"


@pytest.fixture
def scores(here: Path) -> tuple[str, str]:
    for name, values in (("a.csv", (3, 4, 5)), ("b.csv", (1, 2, 4))):
        Path(name).write_text("\n".join([f"name,{SI_SDR}", *(f"m{k},{value}" for k, value in enumerate(values))]))
    return "a.csv", "b.csv"


def test_two_tables_are_compared(unbraid_command, scores) -> None:
    outcome = unbraid_command("compare", *scores, "-o", "items.csv")
    assert (outcome.code, outcome.err) == (0, "")
    first, head, row, *_ = outcome.out.splitlines()
    assert first.startswith("No clear difference: a is 1.67 dB better than b in SI-SDR, which may be chance (95 % ")
    assert first.endswith("better on 3 of 3 items).")
    assert head.split()[:3] == ["metric", "a", "b"]
    assert row.split()[:5] == ["SI-SDR,", "dB", "4.00", "2.33", "+1.67"]
    rows = list(csv.DictReader(Path("items.csv").read_text().splitlines()))
    assert [(r["name"], r["si_sdr_difference"]) for r in rows] == [("m0", "2.0000"), ("m1", "2.0000"), ("m2", "1.0000")]
    assert unbraid_command("compare", *scores, "-q").out == ""


def test_json_has_every_measure(unbraid_command, scores) -> None:
    told = json.loads(unbraid_command("compare", *scores, "--json").out)
    assert (told["a"], told["b"], told["table"]) == ("a", "b", None)
    (score,) = told["scores"]
    assert (score["a_better_by"], score["a_better_on"], score["items"]) == (1.6667, 3, 3)


def test_a_model_is_run_on_the_dataset(unbraid_command, speech_folder, here) -> None:
    """And has the scores that it had in an earlier evaluation, item by item."""
    import numpy as np

    from unbraid import audio

    random = np.random.default_rng(0)
    for number in range(3):
        voices = random.normal(0, 0.1, (2, 4000)).astype(np.float32)
        for place, samples in zip(("mix", "s1", "s2"), (voices.sum(0), *voices), strict=True):
            path = here / "set/2speakers/wav8k/min/tt" / place / f"01a_0.5_02b_-0.5-{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, samples[None], 8000, audio.choose_format("wav", subtype="32f"))
    assert unbraid_command("evaluate", speech_folder, "set", "--metrics", "si-sdr", "-o", "before", "-q").code == 0
    outcome = unbraid_command("compare", "before", speech_folder, "set", "--metrics", "si-sdr")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0] == "before and tiny-speech score the same in SI-SDR on each of 3 items."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.csv", "speech-2"], "speech-2 is not a table of scores, so it is taken for a model, which needs a "),
        (["a.csv", "b.csv", "."], "a.csv and b.csv are scores already; leave the dataset out."),
        (["a.csv", "b.csv", "-o", "a.csv"], "a.csv exists already; choose another place with --out, or use "),
        (["a.csv", "b.csv", "-o", "."], ". is a folder; name a file with --out."),
        (["a.csv", "b.csv", "-o", "no/x.csv"], "There is no folder no; make it first, or choose another place with"),
        (["a.csv", "speech-2", "nowhere"], "nowhere is not a folder; name one that holds a dataset, or a "),
        (["a.csv", "speach-2", "."], "No model or folder is called 'speach-2'"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence(unbraid_command, scores, words, message) -> None:
    outcome = unbraid_command("compare", *words)
    assert outcome.code != 0
    (line,) = outcome.errors
    assert line.startswith(f"error: {message}")
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "b.csv"]
