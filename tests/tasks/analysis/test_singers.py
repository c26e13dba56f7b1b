"""Singers have their own passages, enrolled ones their names; blocks change nothing, and nobody is made up."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

import unbraid.tasks.analysis.singers_api as singers_api
from unbraid import singers
from unbraid.errors import UsageError
from unbraid.tasks.analysis.api import Listening
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.singers import Singers
from unbraid.tasks.analysis.singers_api import enrolled_singers, singers_of_file
from unbraid.tasks.analysis.voice_pieces import VoicePieces
from unbraid.tasks.separation.content import Content
from voice_fakes import RATE, ByBand, voices

DUET = voices((0, 1, 9), (1, 10, 18), (0, 19, 27), seconds=28)


def tracked(sound: np.ndarray, search: SingerSearch, block: int = RATE, recording: np.ndarray | None = None) -> Singers:
    tracker = search.tracker(RATE)
    for start in range(0, sound.shape[1], block):
        part = slice(start, start + block)
        tracker.push(sound[:, part], None if recording is None else recording[:, part])
    return tracker.finish()


def rounded(found: Singers) -> list[tuple[str, int, int]]:
    return [(p.speaker, round(p.start), round(p.end)) for p in found.passages]


def enrolled(*numbers: int) -> dict[str, np.ndarray]:
    names = ("anna", "bob", "carl")
    sounds = [voices((k, 0, 2), seconds=2)[k, 0] for k in numbers]
    return dict(zip([names[k] for k in numbers], ByBand().embed(sounds), strict=True))


def test_two_singers_are_told_apart() -> None:
    found = tracked(DUET.sum(0), SingerSearch(ByBand()))
    assert rounded(found) == [("singer1", 1, 9), ("singer2", 10, 18), ("singer1", 19, 27)]
    assert found.names == ("singer1", "singer2")
    assert found.singing_seconds["singer1"] == pytest.approx(16, abs=1)
    assert min(p.confidence for p in found.passages) > 0.9


def test_enrolled_singers_have_their_names_and_others_are_unknown() -> None:
    found = tracked(DUET.sum(0), SingerSearch(ByBand(), enrolled(2, 1)))
    assert rounded(found) == [("unknown", 1, 9), ("bob", 10, 18), ("unknown", 19, 27)]
    assert (found.enrolled, found.absent) == (("carl", "bob"), ("carl",))


def test_a_number_of_singers_is_kept() -> None:
    assert tracked(DUET.sum(0), SingerSearch(ByBand(), number=1)).names == ("singer1",)


@pytest.mark.parametrize("block", [RATE // 3, 7 * RATE, 10**9])
def test_blocks_change_nothing(block: int) -> None:
    """Eighty seconds with long and short passages, cut as they come and as a whole: the same pieces and embeddings."""
    random = np.random.default_rng(3)
    ends = np.cumsum(random.uniform(0.3, 9, 30))
    turns = [(int(random.integers(3)), a + 0.25, b) for a, b in pairwise(ends.tolist()) if b - a > 0.5]
    sound = voices(*turns, seconds=float(ends[-1]) + 1).sum(0)
    sound = sound * (1 + 0.3 * random.standard_normal(sound.shape)).astype(np.float32)

    def of(size: int):
        pieces = VoicePieces(RATE, ByBand())
        for start in range(0, sound.shape[1], size):
            pieces.push(sound[:, start : start + size])
        return pieces.finish()

    one, two = of(RATE), of(block)
    assert len(one.voices.pieces) > 20
    assert one.voices.pieces == two.voices.pieces
    assert np.allclose(one.voices.embeddings, two.voices.embeddings, atol=1e-4)
    assert (one.frames, one.seconds) == (two.frames, two.seconds)


def test_silence_and_what_other_stems_leave_is_nobody() -> None:
    sound = DUET.sum(0)
    for stem, recording in ((0 * sound, sound), (0.05 * sound, sound)):
        found = tracked(stem, SingerSearch(ByBand()), recording=recording)
        assert (len(found), found.reason) == (0, "nobody sings in it")
    assert tracked(sound, SingerSearch(ByBand()), recording=1.1 * sound).names == ("singer1", "singer2")


def test_formats(tmp_path: Path) -> None:
    found = tracked(DUET.sum(0), SingerSearch(ByBand(), enrolled(1)))
    assert found.to_csv().splitlines()[0] == "start,end,singer,confidence"
    assert len(found.to_csv().splitlines()) == 4
    assert found.to_labels().splitlines()[1].endswith("\tbob")
    data = json.loads(found.to_json())
    assert [row["singer"] for row in data["passages"]] == ["unknown", "bob", "unknown"]
    assert [row["name"] for row in data["singers"]] == ["unknown", "bob"]
    found.save(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == found.to_labels()
    with pytest.raises(UsageError, match=r"^Who sings when is written as csv, json, labels, not as '\.mid'\.$"):
        found.save(tmp_path / "a.mid")


def test_times_of_an_excerpt_are_the_files(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", DUET.sum(0).T, RATE, subtype="FLOAT")
    excerpt = singers_api.Excerpt(start=9.5)
    found = singers_of_file(tmp_path / "a.wav", SingerSearch(ByBand()), excerpt, Listening(force=True))
    assert rounded(found) == [("singer1", 10, 18), ("singer2", 19, 27)]


def test_speech_has_no_singers_unless_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", DUET.sum(0).T, RATE, subtype="FLOAT")
    monkeypatch.setattr(singers_api, "content_of_file", lambda *_: Content("speech", 0.9))
    found = singers_of_file(tmp_path / "a.wav", SingerSearch(ByBand()))
    assert found.reason == "it sounds like speech, which has no singers; use --force (force=True) if it is music"
    assert singers_of_file(tmp_path / "a.wav", SingerSearch(ByBand()), listening=Listening(force=True)).passages


def test_enrolment_by_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "bob").mkdir()
    for name, turns in (("bob/1.wav", (1, 0, 3)), ("bob/2.wav", (1, 1, 3)), ("carl.wav", (2, 0, 3))):
        soundfile.write(tmp_path / name, voices(turns, seconds=3).sum(0).T, RATE, subtype="FLOAT")
    found = enrolled_singers([("bob", tmp_path / "bob"), ("carl", tmp_path / "carl.wav")], ByBand())
    assert {name: float(voice @ enrolled(1, 2)[name]) > 0.99 for name, voice in found.items()} == {
        "bob": True, "carl": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spoken", "message"),
    [
        (voices(seconds=3), "holds 0.0 s of speech; to enrol a person takes 1.5 s or more, best 10 s."),
        (voices((0, 0, 3), (2, 3.5, 6), seconds=6), "holds the voices of several people; give a recording of one "),
    ],
)
def test_files_without_one_voice_are_refused(tmp_path: Path, spoken: np.ndarray, message: str) -> None:
    soundfile.write(tmp_path / "x.wav", spoken.sum(0).T, RATE, subtype="FLOAT")
    with pytest.raises(UsageError, match=f"x.wav {message}"):
        enrolled_singers([("x", tmp_path / "x.wav")], ByBand())


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r", to enrol x, has no audio file in it; name a folder with recordings of"):
        enrolled_singers([("x", tmp_path)], ByBand())


def test_a_number_and_names_are_refused() -> None:
    told = r"^Who is enrolled says which singers there may be; leave the number of singers out\.$"
    with pytest.raises(UsageError, match=told):
        singers("a.wav", {"a": "a.wav"}, number=2)
    with pytest.raises(UsageError, match=r"^The number of singers counts from 1, the fewest first, not \(3, 2\)\.$"):
        singers("a.wav", number=(3, 2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unknown", "'unknown' is the name of whoever is not enrolled; give another name."),
        ("a\x1b[31m\nb", r"'a\x1b[31m\nb' cannot name a person; give a text on one line, without control characters."),
    ],
)
def test_names_that_nobody_can_have(name: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        enrolled_singers([(name, "a.wav")], ByBand())
    assert str(error.value) == message
