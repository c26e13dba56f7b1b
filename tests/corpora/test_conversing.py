"""Conversations: what is said to be spoken is, mixtures are the sum of their references, and a seed fixes all."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from talkers import RATE, humming, write_talkers
from unbraid import audio
from unbraid.corpora.conversations import find_conversations, read_conversation
from unbraid.corpora.conversing import Conversing, draw_conversations, find_material
from unbraid.corpora.conversing.activity import activity_of, pieces
from unbraid.corpora.conversing.draw import draw_plan
from unbraid.corpora.conversing.plan import ConversationPlan
from unbraid.corpora.conversing.write import in_steps
from unbraid.corpora.rttm import Segment, overlap_share, speaking_seconds
from unbraid.errors import UsageError
from unbraid.evaluation.conversation.tracks import SpeakingTimes

SHORT = Conversing(people=(3, 3), minutes=(1.0, 1.0), seed=7)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talkers(tmp_path_factory.mktemp("talkers"))


def planned(corpus: Path, how: Conversing, number: int = 0) -> ConversationPlan:
    return draw_plan(find_material(corpus, "dev", how), how, number)


def drawn(corpus: Path, how: Conversing, place: Path, **more) -> list:
    return list(draw_conversations(find_material(corpus, "dev", how, **more), how, place, range(1)))


def test_speech_begins_and_ends_with_the_tone_and_a_long_pause_splits_it() -> None:
    sound = humming(440, (0.5, 1.5), (1.8, 2.5), (3.5, 4.0), seconds=5.0)
    blocks = [sound[None, i : i + RATE] for i in range(0, len(sound), RATE)]
    activity = activity_of(blocks, RATE)
    assert np.allclose(activity.spans, [(430, 2570), (3430, 4070)], atol=20)  # tones, and 50 ms around them
    assert activity.rms(((600, 1400),)) == pytest.approx(0.1 / np.sqrt(2), rel=0.02)


def test_silence_has_no_speech_and_steady_speech_is_one_stretch() -> None:
    assert activity_of([np.zeros((1, RATE), np.float32)], RATE).spans == ()
    steady = humming(440, (0.0, 3.0), seconds=3.0)
    (span,) = activity_of([steady[None, i : i + RATE] for i in range(0, len(steady), RATE)], RATE).spans
    assert span == (0, 3000)


def test_long_speech_is_cut_where_it_is_quiet() -> None:
    sound = humming(440, (0.0, 2.4), (2.6, 5.0), seconds=5.0)
    activity = activity_of([sound[None, i : i + RATE] for i in range(0, len(sound), RATE)], RATE)
    groups = pieces(activity, 4000)
    assert len(groups) == 2
    assert 2400 <= groups[0][-1][1] == groups[1][0][0] <= 2600
    assert pieces(activity, 10_000) == [activity.spans]


def test_a_mixture_is_the_sum_of_its_references(corpus: Path, tmp_path: Path) -> None:
    (outcome,) = drawn(corpus, SHORT, tmp_path / "dev")
    assert (outcome.people, outcome.seconds, outcome.skipped, outcome.error) == (3, 60.0, False, None)
    (found,) = find_conversations(tmp_path, "dev")
    mixture, rate = audio.read(found.mixture)
    voices = [audio.read(found.reference(name))[0][0] for name in found.speakers]
    assert np.array_equal(np.sum(voices, 0, np.float64), mixture[0])
    assert (mixture.shape, rate, found.seconds) == ((1, 60 * RATE), RATE, 60.0)
    speaks = SpeakingTimes(found.segments, found.speakers, RATE).between(0, 60 * RATE)
    for voice, here in zip(voices, speaks, strict=True):
        assert np.square(voice[~here]).sum() < 1e-3 * np.square(voice).sum()
        level = 10 * np.log10(np.mean(np.square(voice[here], dtype=np.float64)) / 0.05**2)
        assert abs(level) < SHORT.spread_db + 2
    assert sorted(path.name for path in found.folder.iterdir()) == sorted(
        ["mixture.flac", "speakers.rttm", "conversation.json", *(f"speaker-{name}.flac" for name in found.speakers)]
    )


def test_a_seed_and_a_number_fix_a_conversation(corpus: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        drawn(corpus, SHORT, tmp_path / folder)
    a, b = (
        {path.name: path.read_bytes() for path in (tmp_path / folder / "conversation-7-0000").iterdir()}
        for folder in ("a", "b")
    )
    assert a == b
    other = planned(corpus, replace(SHORT, seed=8))
    assert [turn.start_ms for turn in other.turns] != [turn.start_ms for turn in planned(corpus, SHORT).turns]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("people", [2, 4])
def test_the_share_of_overlap_is_reached(corpus: Path, share: float, people: int) -> None:
    how = Conversing(people=(people, people), minutes=(5.0, 5.0), overlap=share)
    assert planned(corpus, how).overlap == pytest.approx(share, abs=0.03)


def test_nobody_talks_over_themselves_and_everybody_speaks(corpus: Path) -> None:
    plan = planned(corpus, Conversing(people=(4, 4), minutes=(3.0, 3.0), overlap=0.4))
    assert len(plan.people) == 4
    for person in range(4):
        own = [turn for turn in plan.turns if turn.person == person]
        assert own
        assert all(a.end_ms < b.start_ms for a, b in pairwise(own))
    assert all(turn.end_ms <= plan.ms for turn in plan.turns)
    starts = [turn.start_ms for turn in plan.turns]
    assert starts == sorted(starts)
    assert max(sum(other.start_ms <= t < other.end_ms for other in plan.turns) for t in starts) <= 3
    first = list(dict.fromkeys(turn.person for turn in plan.turns))
    assert first == [0, 1, 2, 3]  # people are in the order in which they begin


def test_an_utterance_comes_again_only_when_all_were_used(corpus: Path) -> None:
    plan = planned(corpus, Conversing(people=(1, 1), minutes=(2.0, 2.0)))
    said = [turn.utterance.recording for turn in plan.turns]
    rounds = [said[i : i + 3] for i in range(0, len(said) - 3, 3)]
    assert len(rounds) > 2
    assert all(len(set(each)) == 3 for each in rounds)


def test_the_number_of_people_goes_round(corpus: Path) -> None:
    how = Conversing(people=(1, 3), minutes=(0.5, 1.0))
    plans = [planned(corpus, how, number) for number in range(6)]
    assert [len(plan.people) for plan in plans] == [1, 2, 3, 1, 2, 3]
    assert all(30_000 <= plan.ms <= 60_000 for plan in plans)
    assert plans[0].overlap == 0


def test_who_says_what_is_recorded(corpus: Path, tmp_path: Path) -> None:
    drawn(corpus, SHORT, tmp_path / "dev")
    found = read_conversation(tmp_path / "dev" / "conversation-7-0000")
    assert [saying.speaker for saying in found.sayings][:3] == list(found.speakers)
    assert found.texts is not None
    assert set(found.texts) == set(found.speakers) <= {f"home-p{i}" for i in range(4)}
    for name, text in found.texts.items():
        assert text.startswith(f"person {name[-1]} text ")
    record = json.loads((found.folder / "conversation.json").read_text())
    assert record["settings"]["seed"] == 7
    assert record["overlap"] == pytest.approx(overlap_share(found.segments), abs=1e-4)
    short = replace(SHORT, longest_turn=1.5)
    assert {turn.utterance.text for turn in planned(corpus, short).turns} == {""}
    assert max(turn.utterance.ms for turn in planned(corpus, short).turns) <= 1500


def test_it_goes_on_where_it_stopped_and_keeps_what_is_there(corpus: Path, tmp_path: Path) -> None:
    drawn(corpus, SHORT, tmp_path)
    before = (tmp_path / "conversation-7-0000" / "mixture.flac").stat().st_mtime_ns
    material = find_material(corpus, "dev", SHORT)
    first, second = draw_conversations(material, SHORT, tmp_path, range(2))
    assert (first.skipped, second.skipped) == (True, False)
    assert (tmp_path / "conversation-7-0000" / "mixture.flac").stat().st_mtime_ns == before
    (refused,) = drawn(corpus, replace(SHORT, overlap=0.1), tmp_path)
    assert refused.error == (
        f"{tmp_path / 'conversation-7-0000'} is there already, and was drawn with other settings or recordings; choose "
        "another --out or --seed."
    )
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_noise_is_a_reference_of_its_own_at_its_level(corpus: Path, tmp_path: Path) -> None:
    hiss = np.random.default_rng(0).normal(0, 0.2, (1, 2 * RATE)).astype(np.float32)
    for i in range(3):
        (tmp_path / "noises").mkdir(exist_ok=True)
        audio.write(tmp_path / "noises" / f"{i}.wav", hiss, RATE, audio.choose_format("wav", subtype="32f"))
    how = replace(SHORT, snr_db=10.0, minutes=(0.5, 0.5))
    drawn(corpus, how, tmp_path / "out" / "dev", noise=tmp_path / "noises")
    (found,) = find_conversations(tmp_path / "out", "dev")
    noise = audio.read(found.folder / "noise.flac")[0][0]
    parts = [noise, *(audio.read(found.reference(name))[0][0] for name in found.speakers)]
    assert np.array_equal(np.sum(parts, 0, np.float64), audio.read(found.mixture)[0][0])
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 0.05) == pytest.approx(-10, abs=0.5)
    each = np.square(noise).reshape(-1, RATE // 2).mean(-1)
    assert each.max() < 2 * each.min()  # clips are joined without holes


def test_people_in_a_room_are_heard_later_and_longer(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyroomacoustics")
    pytest.importorskip("scipy")
    how = replace(SHORT, people=(2, 2), minutes=(0.3, 0.3))
    drawn(corpus, how, tmp_path / "dry")
    drawn(corpus, replace(how, rooms=True), tmp_path / "dev")
    (found,) = find_conversations(tmp_path, "dev")
    dry = read_conversation(tmp_path / "dry" / found.name)
    assert found.segments == dry.segments
    for name in found.speakers:
        there, here = (audio.read(each.reference(name))[0][0] for each in (dry, found))
        last = round(max(s.end for s in found.segments if s.speaker == name) * RATE)
        tail = slice(last, last + RATE // 5)
        assert np.square(here[tail]).sum() > 100 * np.square(there[tail]).sum()


def test_a_sum_that_would_clip_stays_exact() -> None:
    parts = np.array([[0.9, -0.9, 0.1, 1.5], [0.5, -0.5, 0.1, 0.0]], np.float32)
    steps = in_steps(parts)
    total = steps.sum(0)
    assert np.array_equal(total * 32768, np.rint(total * 32768))
    assert total.max() == 32767 / 32768
    assert total.min() == -1
    assert np.allclose(steps[1], parts[1], atol=1 / 32768)  # the loudest was clipped


def test_bad_settings_are_refused(corpus: Path, tmp_path: Path) -> None:
    for settings, reason in (
        ({"people": (0, 2)}, "people must be at least 1, got 0."),
        ({"people": (3, 2)}, "people must be a low end and a high end, got 3, 2."),
        ({"overlap": 0.5}, "overlap must be at most 0.4, got 0.5."),
        ({"minutes": (float("nan"), 1.0)}, "minutes must be a finite number, got nan."),
        ({"snr_db": 1e9}, "snr_db must be at most 100, got 1000000000.0."),
    ):
        with pytest.raises(ValueError, match="must be") as caught:
            Conversing(**settings)
        assert str(caught.value) == reason
    with pytest.raises(UsageError, match="has 4 speakers in its split dev; a conversation of 5 people needs as many"):
        find_material(corpus, "dev", Conversing(people=(1, 5)))
    with pytest.raises(UsageError, match="holds no conversations"):
        find_conversations(tmp_path, "dev")


def test_a_damaged_conversation_is_named(corpus: Path, tmp_path: Path) -> None:
    drawn(corpus, SHORT, tmp_path)
    folder = tmp_path / "conversation-7-0000"
    record = (folder / "conversation.json").read_text()
    for text, reason in (("[]", "seconds must be"), (record.replace('"text": "', '"text": 5, "x": "'), "text must be")):
        (folder / "conversation.json").write_text(text)
        with pytest.raises(UsageError, match=reason):
            read_conversation(folder)
    (folder / "conversation.json").write_text(record)
    missing = next(folder.glob("speaker-*.flac"))
    missing.unlink()
    with pytest.raises(UsageError, match=f"lacks {missing.name}"):
        read_conversation(folder)


def test_time_of_speech_and_overlap() -> None:
    segments = [Segment(0.0, 4.0, "a"), Segment(3.0, 6.0, "b"), Segment(8.0, 9.0, "a")]
    assert speaking_seconds(segments) == (7.0, 1.0)
    assert overlap_share(segments) == pytest.approx(1 / 7)
    assert overlap_share([]) == 0
