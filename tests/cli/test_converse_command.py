"""`unbraid data converse`: options arrive, the sum is told, and nonsense is refused in a sentence."""

import pytest

from talkers import write_talkers
from unbraid.corpora import conversing
from unbraid.corpora.conversing import Conversing, Outcome


def test_conversations_are_drawn_and_scored_again_only_if_they_are_new(unbraid_command, here):
    write_talkers(here / "speech")
    command = (
        "data",
        "converse",
        "speech",
        "--split",
        "dev",
        "--people",
        "1-2",
        "--minutes",
        0.2,
        "-n",
        2,
        "-o",
        "talks",
    )
    outcome = unbraid_command(*command)
    assert (outcome.code, outcome.out) == (0, "2 conversations drawn (0:24) in talks/dev\n")
    assert sorted(path.name for path in (here / "talks" / "dev").iterdir()) == [
        "conversation-0-0000", "conversation-0-0001",
    ]  # fmt: skip
    assert unbraid_command(*command).out == "0 conversations drawn, 2 were there (0:24) in talks/dev\n"
    outcome = unbraid_command(*command, "--overlap", 0.1)
    assert outcome.code == 1
    assert outcome.out == "0 conversations drawn, 2 failed (0:00) in talks/dev\n"
    assert outcome.errors[0].startswith("error: conversation 0: ")
    assert "was drawn with other settings" in outcome.errors[0]


def test_options_arrive(unbraid_command, monkeypatch, here):
    seen = {}
    monkeypatch.setattr(conversing, "find_material", lambda *given: seen.update(given=given))

    def draw(material, how, place, numbers):
        seen.update(how=how, place=place, numbers=numbers)
        return iter([Outcome(0, 3, 60.0, 0.3)])

    monkeypatch.setattr(conversing, "draw_conversations", draw)
    outcome = unbraid_command(
        *(
            "data",
            "converse",
            "speech",
            "--people",
            "2-4",
            "--minutes",
            "3-5",
            "--overlap",
            0.3,
            "--rooms",
            "--seed",
            5,
        ),
        *("--noise", "hiss", "--snr", 15, "--noise-split", "train", "--spread", 1, "--longest-turn", 4),
        *("--sample-rate", 16000, "-n", 1, "-o", "talks"),
    )
    assert outcome.code == 0
    assert seen["how"] == Conversing((2, 4), (3.0, 5.0), 0.3, True, 15.0, 1.0, 4.0, 16000, 5)
    assert [str(each) for each in seen["given"][:2]] == ["speech", "test"]
    assert (str(seen["given"][3]), seen["given"][4]) == ("hiss", "train")
    assert (seen["place"].as_posix(), seen["numbers"]) == ("talks/test", range(1))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--people", "0"), "people must be at least 1, got 0."),
        (("--people", "5-2"), "people must be a low end and a high end, got 5, 2."),
        (("--people", "2-x"), "--people takes a number or a range, such as 2 or 2-4, not '2-x'."),
        (("--people", "1.5"), "--people takes a whole number or a range of them, such as 2 or 2-4, not '1.5'."),
        (("--people", "7"), "people must be at most 6, got 7."),
        (("--minutes", "nan"), "minutes must be a finite number, got nan."),
        (("--minutes", "0"), "minutes must be at least 0.1, got 0.0."),
        (("--overlap", 0.9), "overlap must be at most 0.4, got 0.9."),
        (("--snr", 5), "--noise and --snr belong together: a folder of noises, and how many dB below the voices."),
        (("--noise-split", "dev"), "--noise-split says which clips of --noise are used; give a folder of noises too."),
        (("--split", "dev"), "There is no folder speech. Name the folder that holds the corpus."),
    ],
)
def test_nonsense_is_refused(unbraid_command, here, options, told):
    outcome = unbraid_command("data", "converse", "speech", *options)
    assert (outcome.code, outcome.errors) == (2, [f"error: {told}"])
    assert not (here / "conversations").exists()
