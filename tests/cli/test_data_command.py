"""`unbraid data`: a thin skin over the rendering; only what it adds is tested."""

from unbraid.corpora import rendering
from unbraid.corpora.rendering import Outcome, Stock


def stand_in(monkeypatch, outcomes, seen=None):
    def find(material, split):
        if seen is not None:
            seen.update(material=material, split=split)
        return Stock((), ())

    def render(stock, how, place, numbers, workers):
        if seen is not None:
            seen.update(how=how, place=place, numbers=numbers, workers=workers)
        return iter(outcomes)

    monkeypatch.setattr(rendering, "find_stock", find)
    monkeypatch.setattr(rendering, "render_songs", render)


def test_options_arrive_and_the_sum_is_told(unbraid_command, monkeypatch, here):
    seen = {}
    outcomes = [
        Outcome(0, ("bass", "drums"), 30.0),
        Outcome(1, ("drums",), 30.0),
        Outcome(2, seconds=30.0, skipped=True),
    ]
    stand_in(monkeypatch, outcomes, seen)
    outcome = unbraid_command(
        *("data", "render", "--midi", "a", "--midi", "b", "--soundfont", "x.sf2", "--voices", "v", "--split", "dev"),
        *("--songs", 3, "--seconds", 10, "--seed", 4, "--workers", 1, "--format", "wav", "--sung", 0.5, "-o", "songs"),
    )
    assert outcome.code == 0
    assert outcome.out == "2 songs rendered, 1 were there (1:30 of music; bass 1, drums 2) in songs/dev\n"
    assert [path.name for path in seen["material"].midi] == ["a", "b"]
    assert (seen["how"].seconds, seen["how"].seed, seen["how"].sung, seen["how"].format) == (10.0, 4, 0.5, "wav")
    assert (seen["place"].as_posix(), seen["numbers"], seen["workers"]) == ("songs/dev", range(3), 1)


def test_what_goes_wrong_is_told_once_and_ends_in_failure(unbraid_command, monkeypatch):
    outcomes = [Outcome(0, ("drums",), 30.0, troubles=("x.mid is broken.",)), Outcome(1, error="no.", troubles=())]
    outcomes.append(Outcome(2, ("drums",), 30.0, troubles=("x.mid is broken.",)))
    stand_in(monkeypatch, outcomes)
    outcome = unbraid_command("data", "render", "--midi", "a", "--soundfont", "x.sf2", "--songs", 3)
    assert outcome.code == 1
    assert outcome.errors == ["warning: x.mid is broken.", "error: song 1: no."]
    assert outcome.out == "2 songs rendered, 1 failed (1:00 of music; drums 2) in songs/train\n"


def test_nonsense_is_refused(unbraid_command):
    outcome = unbraid_command("data", "render", "--midi", "a", "--soundfont", "x.sf2", "--seconds", 0)
    assert outcome.code == 2
    assert outcome.errors == ["error: seconds must be at least 1, got 0.0."]
    outcome = unbraid_command("data", "render", "--midi", "a", "--soundfont", "x.sf2")
    assert outcome.errors == ["error: There is no folder a. Name a folder that is there."]


def test_voices_are_made(unbraid_command, monkeypatch):
    monkeypatch.setattr(rendering, "speak", lambda folder, utterances, seed: iter([folder / "a.flac"] * utterances))
    outcome = unbraid_command("data", "speak", "-o", "voices", "-n", 5)
    assert (outcome.code, outcome.out) == (0, "5 utterances are in voices\n")


def test_two_corpora_at_once_are_refused(unbraid_command, here) -> None:
    outcome = unbraid_command("data", "speak", "--digits", "--phrases", "-o", "spoken")
    sentence = "error: --digits and --phrases are two different corpora; leave one of them out."
    assert (outcome.code, outcome.errors) == (2, [sentence])
    assert not list(here.iterdir())
