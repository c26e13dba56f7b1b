"""Enrolled people have their names; files that hold no voice of one person are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import speech_fake
from unbraid import analyse, separate_speakers, singers
from unbraid.errors import UsageError
from unbraid.tasks.conversation.enrolment import voice_in
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from voice_fakes import RATE, ByBand, Closer, by_band, counting, counting_spec, voices


@pytest.fixture
def file(tmp_path: Path):
    """Write what voices (3, C, T) say together."""

    def make(name: str, spoken: np.ndarray) -> str:
        soundfile.write(tmp_path / name, spoken.sum(0).T, RATE, subtype="FLOAT")
        return str(tmp_path / name)

    return make


def test_a_person_who_is_there_has_their_name(file) -> None:
    people = voices((0, 0, 3), (2, 2, 5), seconds=6)
    anna, bob = file("anna.wav", voices((2, 0, 2), seconds=2)), file("bob.wav", voices((1, 0, 2), seconds=2))
    run = counting(Options(enrol=(("anna", anna), ("bob", bob)))).run_array(people.sum(0), RATE)
    blocks = list(run)
    assert list(blocks[0]) == ["speaker1", "anna"]
    told = run.diagnostics.conversation
    assert told is not None and told.absent == ("bob",)
    assert {segment.speaker for segment in told.segments} == {"speaker1", "anna"}


def test_how_alike_a_person_must_be_depends_on_the_model(file) -> None:
    people = voices((0, 0, 3), (2, 2, 5), seconds=6).sum(0)
    options = Options(enrol=(("anna", file("anna.wav", voices((2, 0, 2), seconds=2))),
                             ("bob", file("bob.wav", voices((1, 0, 2), seconds=2)))))  # fmt: skip
    separator = Separator.over(speech_fake(by_band), counting_spec(), options, Closer())
    assert list(separator(people, RATE)) == ["speaker1", "anna"]


@pytest.mark.parametrize(
    ("spoken", "message"),
    [
        (voices(seconds=3), "is silent, so nobody can be enrolled; give a recording of one person who speaks."),
        (voices((0, 0, 0.5), seconds=0.5), "holds 0.5 s of speech; to enrol a person takes 1.5 s or more, best 10 s."),
        (voices((0, 0, 3), (2, 3.5, 6), seconds=6), "holds the voices of several people; give a recording of one "),
    ],
)
def test_files_without_one_voice_are_refused(file, spoken: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=f"x.wav {message}"):
        voice_in(file("x.wav", spoken), ByBand())


@pytest.mark.parametrize("name", ["residual", "speaker2", "a/b", ""])
def test_names_that_tracks_cannot_have_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="another name"):
        counting(Options(enrol=((name, "x.wav"),)))


def test_nobody_is_enrolled_twice() -> None:
    with pytest.raises(UsageError, match="^Two people are enrolled as 'anna'; give each a name of their own"):
        counting(Options(enrol=(("anna", "x.wav"), ("anna", "y.wav"))))


@pytest.mark.parametrize("heard", [analyse, separate_speakers, singers])
@pytest.mark.parametrize(
    ("people", "message"),
    [
        ("anna", "People are enrolled by a mapping, such as {'anna': 'anna.wav'}, not 'anna'."),
        ({"anna": None}, "To enrol anna takes the path of a recording of them, not None."),
        ({1: "a.wav"}, "1 cannot name a person; give a text on one line, without control characters."),
        ({" ": "a.wav"}, "' ' cannot name a person; give a text on one line, without control characters."),
        ({"a\nb": "a.wav"}, r"'a\nb' cannot name a person; give a text on one line, without control characters."),
    ],
)
def test_people_whom_nobody_can_enrol(heard: Callable[..., object], people: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        heard("talk.wav", enrol=people)
    assert str(error.value) == message
