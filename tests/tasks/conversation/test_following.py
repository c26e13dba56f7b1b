"""People are followed through a recording, whatever the network does with its outputs."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from engine_fakes import snr, speech_fake, speech_spec
from unbraid.errors import UsageError
from unbraid.hub.spec import Windows
from unbraid.tasks.api import separate_speakers
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator, joined
from voice_fakes import RATE, ByBand, Closer, by_band, counting, counting_spec, voices


def spoken(*turns: tuple[int, float, float], seconds: float) -> np.ndarray:
    """People (K, 1, T), each a tone in a band of their own, at the times of their turns."""
    time, people = np.arange(round(seconds * RATE)) / RATE, 1 + max(turn[0] for turn in turns)
    found = np.zeros((people, 1, time.size), np.float32)
    for person, begin, end in turns:
        here = (time >= begin) & (time < end)
        found[person] += 0.1 * here * np.sin(2 * np.pi * (300 + 700 * person) * time)
    return found


def swapping(mixture: np.ndarray, turn=itertools.count()) -> np.ndarray:
    """(B, T) -> (B, 3, T): by band, but on other outputs each time."""
    return np.roll(by_band(mixture), next(turn), axis=1)


def one_output(mixture: np.ndarray) -> np.ndarray:
    """(B, T) -> (B, 3, T): all on the first output."""
    return np.stack((mixture, np.zeros_like(mixture), np.zeros_like(mixture)), axis=1)


def follows(network, options: Options = Options()) -> Separator:
    spec = counting_spec(Windows(4.0, 1.0))
    return Separator.over(speech_fake(network), spec, options, ByBand())


def test_tracks_do_not_swap_where_the_network_does() -> None:
    """Pauses lie where windows meet, so that nothing but the voices tells who is who."""
    people = voices((0, 0, 2.8), (2, 0.5, 2), (2, 4.2, 5.8), (0, 7.2, 8.8), (2, 7.4, 8.5), (0, 10.5, 12), seconds=12)
    tracks = follows(swapping)(people.sum(0), RATE)
    assert list(tracks) == ["speaker1", "speaker2"]
    assert snr(people[0], tracks["speaker1"]) > 15
    assert snr(people[2], tracks["speaker2"]) > 15


def test_more_people_than_outputs() -> None:
    people = spoken((0, 0, 2), (1, 2.5, 5), (2, 5.4, 8), (3, 8.3, 11), (1, 11.5, 14), (0, 14.3, 16), seconds=16)
    separator = follows(one_output)
    run = separator.run_array(people.sum(0), RATE)
    blocks = list(run)
    assert list(blocks[0]) == ["speaker1", "speaker2", "speaker3", "speaker4"]
    for person, name in enumerate(blocks[0]):
        assert snr(people[person], np.concatenate([block[name] for block in blocks], -1)) > 15
    told = run.diagnostics.conversation
    assert told is not None and told.seconds == 16 and told.overlap_seconds == pytest.approx(0, abs=0.3)
    assert [s.speaker[-1] for s in told.segments] == list("123421")
    for segment, start in zip(told.segments, (0, 2.5, 5.4, 8.3, 11.5, 14.3), strict=True):
        assert segment.start == pytest.approx(start, abs=0.21)
        assert segment.confidence is not None and segment.confidence > 0.9


def test_another_models_cosines_may_lie_closer_together() -> None:
    """Its spec says from which one on two pieces are of one speaker, and everything else follows."""
    turns = ((0, 0, 2.8), (2, 0.5, 2), (2, 4.2, 5.8), (1, 5.5, 7.5), (0, 7.2, 8.8), (2, 7.9, 8.5), (0, 10.5, 12))
    mixture = voices(*turns, seconds=12).sum(0)
    found = []
    for embedder in (ByBand(), Closer()):
        separator = Separator.over(speech_fake(by_band), counting_spec(Windows(4.0, 1.0)), embedder=embedder)
        run = separator.run_array(mixture, RATE)
        blocks = list(run)
        assert run.diagnostics.conversation is not None
        told = run.diagnostics.conversation.segments
        found.append((joined(blocks, RATE), [(each.start, each.speaker, each.confidence) for each in told]))
    (tracks, segments), (others, same) = found
    assert len(tracks) == 3
    for name in tracks:
        np.testing.assert_array_equal(tracks[name], others[name])
    assert [segment[:2] for segment in segments] == [segment[:2] for segment in same]
    np.testing.assert_allclose([s[2] for s in segments], [s[2] for s in same], atol=2e-3)


def test_voices_at_once_are_people_however_alike() -> None:
    """To the embedder all are one person, as its spec does not say that its cosines lie closer together."""

    class Alike(Closer):
        spec = SimpleNamespace(sample_rate=RATE, same_speaker=None)

    def followed(*turns: tuple[int, float, float]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        people = voices(*turns, seconds=12)
        spec = counting_spec(Windows(4.0, 1.0))
        return people, Separator.over(speech_fake(by_band), spec, embedder=Alike())(people.sum(0), RATE)

    people, tracks = followed((0, 0, 5.8), (2, 0.5, 6), (2, 6.5, 11), (0, 7.2, 12))
    assert len(tracks) == 2
    assert snr(people[0], tracks["speaker1"]) > 15 and snr(people[2], tracks["speaker2"]) > 15
    assert len(followed((0, 0, 2.8), (2, 4.2, 5.8), (0, 7.2, 8.8), (2, 9.2, 12))[1]) == 1  # never at once


def test_what_nobody_claims_is_the_residual() -> None:
    people = spoken((0, 0, 3), (1, 7, 10), seconds=10)
    noise = np.random.default_rng(0).normal(0, 1e-3, people[0].shape).astype(np.float32)
    mixture = people.sum(0) + noise
    tracks = follows(by_band, Options(residual=True))(mixture, RATE)
    middle = slice(4 * RATE, 5 * RATE)
    assert not tracks["speaker1"][:, middle].any() and not tracks["speaker2"][:, middle].any()
    np.testing.assert_array_equal(tracks["residual"][:, middle], mixture[:, middle])
    assert np.abs(tracks["residual"][:, RATE : 2 * RATE]).max() < 1e-7  # somebody speaks
    np.testing.assert_allclose(sum(tracks.values()), mixture, atol=1e-7)
    assert list(follows(by_band)(mixture, RATE)) == ["speaker1", "speaker2"]


@pytest.mark.parametrize(("asked", "found"), [((2, 6), 4), ((1, 3), 3), (2, 2), (6, 6), ((5, 9), 5)])
def test_the_number_of_people_is_bounded(asked: int | tuple[int, int], found: int) -> None:
    people = spoken((0, 0, 2), (1, 2.5, 5), (2, 5.4, 8), (3, 8.3, 11), seconds=12)
    tracks = follows(one_output, Options(speakers=asked))(people.sum(0), RATE)
    assert len(tracks) == found


def test_a_copy_of_a_voice_is_muted_and_counted() -> None:
    def doubled(mixture: np.ndarray) -> np.ndarray:
        return np.stack((0.6 * mixture, 0.4 * mixture, np.zeros_like(mixture)), axis=1)

    people = spoken((0, 0, 7), seconds=8)
    run = follows(doubled).run_array(people[0], RATE)
    (name,) = next(run)
    told = run.diagnostics.conversation
    assert name == "speaker1" and told is not None and told.muted_seconds == pytest.approx(7, abs=0.2)


def test_the_networks_outputs_are_there_on_request() -> None:
    people = voices((0, 0, 3), (2, 1, 3), seconds=4)
    run = counting(Options(tracks=False)).run_array(people.sum(0), RATE)
    stems = list(run)
    assert list(stems[0]) == ["voice1", "voice2", "voice3"]
    assert run.diagnostics.voices_found == 2
    np.testing.assert_allclose(sum(joined(stems, RATE).values()), people.sum(0), atol=1e-6)


def test_who_speaks_when_needs_no_second_pass(tmp_path: Path) -> None:
    people = voices((0, 0, 3), (2, 1, 4), seconds=5)
    soundfile.write(tmp_path / "talk.wav", people.sum(0).T, RATE, subtype="FLOAT")
    seen: list[float] = []
    told = counting().converse(tmp_path / "talk.wav", progress=lambda done, _: seen.append(done))
    assert told.speakers == ("speaker1", "speaker2") and told.seconds == 5 and seen[-1] == 5
    assert told.speaking_seconds == pytest.approx({"speaker1": 3, "speaker2": 3}, abs=0.3)
    assert told.overlap_seconds == pytest.approx(2, abs=0.3)


def test_other_models_follow_nobody() -> None:
    fixed = Separator.over(speech_fake(by_band), speech_spec(3, RATE))
    with pytest.raises(UsageError, match=r"^tiny-speech does not tell people apart; choose a model that does"):
        fixed.converse("talk.wav")
    with pytest.raises(UsageError, match=r"^music-2 does not tell people apart"):
        separate_speakers(np.zeros((1, 8000), np.float32), "music-2", sample_rate=RATE)
    with pytest.raises(UsageError, match=r"^tiny-speech does not follow people, so it takes no speaker embeddings"):
        Separator.over(speech_fake(by_band), speech_spec(3, RATE), Options(embedder="campplus"))
    with pytest.raises(UsageError, match=r"^The task of music-2 is separation, not speaker embedding"):
        Separator.over(speech_fake(by_band), counting_spec(), Options(embedder="music-2"))
    with pytest.raises(UsageError, match=r"nobody can be enrolled"):
        Separator.over(speech_fake(by_band), speech_spec(3, RATE), Options(enrol=(("anna", "anna.wav"),)))
