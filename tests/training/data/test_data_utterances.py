"""Utterances as a network hears them: steps, perturbed items as functions of (seed, position), batches."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from test_data_augmentation import PLAIN, RATE, tone

from unbraid.corpora.mixtures import Clip
from unbraid.corpora.transcripts import Utterance
from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.hub.spec import Mel
from unbraid.hub.vocabulary import BEGIN, END, PADDING
from unbraid.models.audio_transformer.config import SpectrogramSide, WaveSide
from unbraid.training.data.augmentation import Perturbing
from unbraid.training.data.utterances import Hearing, PerturbedUtterances, Utterances, heard_batch

WAVE, LOG_MEL = Hearing(RATE, WaveSide((320,), (320,))), Hearing(RATE, SpectrogramSide(64, (4,)), Mel())


def encode(text: str) -> list[int]:
    return [4 + int(word) for word in text.split()]


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """By each of two speakers three texts, whose digits are tones with pauses between them."""
    folder, found = tmp_path_factory.mktemp("digits"), []
    for speaker in ("a", "b"):
        for number, text in enumerate(("1 2 3", "4 5", "6 7 8 9")):
            words = [tone(200 * int(digit) + (50 if speaker == "b" else 0), 0.2) for digit in text.split()]
            audio = np.concatenate([part for word in words for part in (word, np.zeros(1600, np.float32))])
            path = folder / f"{speaker}{number}.wav"
            soundfile.write(path, audio, RATE)
            found.append(Utterance(Clip(path), speaker, text, path.name))
    return found


def test_what_is_heard_is_whole_steps() -> None:
    assert (WAVE.step_samples, LOG_MEL.step_samples) == (320, 320)
    audio = tone(seconds=0.1003)  # 802 samples: three steps, eleven frames
    samples, levels = WAVE(audio), LOG_MEL(audio)
    assert (samples.shape, levels.shape) == ((960,), (12, 64))
    assert (samples[:802] == audio).all()
    assert not samples[802:].any()
    assert levels[:11] == pytest.approx(mel_levels(audio, Mel(), RATE))
    assert not levels[11:].any()


@pytest.mark.parametrize("hearing", [WAVE, LOG_MEL])
def test_those_to_be_judged_by_come_as_they_are(utterances: list[Utterance], hearing: Hearing) -> None:
    data = Utterances(utterances, hearing, encode)
    assert len(data) == 6
    item = data[1]
    audio, _ = soundfile.read(utterances[1].clip.path, dtype="float32")
    assert item.source.numpy() == pytest.approx(hearing(audio), abs=1e-4)
    assert (item.steps, item.symbols) == (len(hearing(audio)) // hearing.side.stride, (8, 9))


@pytest.mark.parametrize("hearing", [WAVE, LOG_MEL])
def test_an_item_is_a_function_of_seed_and_position(utterances: list[Utterance], hearing: Hearing) -> None:
    one, two = (PerturbedUtterances(utterances, hearing, encode, Perturbing(), bunch=2, seed=3) for _ in range(2))
    forward = [one[k] for k in range(12)]
    for k in reversed(range(12)):
        item = two[k]
        assert (item.steps, item.symbols) == (forward[k].steps, forward[k].symbols)
        assert (item.source == forward[k].source).all()
    other = PerturbedUtterances(utterances, hearing, encode, Perturbing(), bunch=2, seed=4)
    assert any(other[k].symbols != forward[k].symbols or other[k].steps != forward[k].steps for k in range(12))


def test_a_round_has_each_as_often_as_it_is_given(utterances: list[Utterance]) -> None:
    data = PerturbedUtterances([*utterances, utterances[0]], WAVE, encode, PLAIN, bunch=1, seed=0)
    assert data.round_items == 7
    found = sorted(data[k].symbols for k in range(7))
    assert found == sorted([(5, 6, 7)] * 3 + [(8, 9)] * 2 + [(10, 11, 12, 13)] * 2)


def test_joined_texts_say_what_is_heard(utterances: list[Utterance]) -> None:
    """Each digit is a tone: the tones of an item are those of its text, and all by one speaker."""
    values = replace(PLAIN, joined_probability=1.0)
    data = PerturbedUtterances(utterances, WAVE, encode, values, bunch=1, seed=0)
    texts = set()
    for k in range(30):
        item = data[k]
        texts.add(item.symbols)
        audio = item.source.numpy()
        sounds = np.flatnonzero(np.abs(audio) > 1e-3)
        pieces = np.split(sounds, np.flatnonzero(np.diff(sounds) > 400) + 1)
        heard = [np.abs(np.fft.rfft(audio[p[0] : p[-1]])).argmax() * RATE / (p[-1] - p[0]) for p in pieces]
        assert [round((hertz - 25) / 200) for hertz in heard] == [symbol - 4 for symbol in item.symbols]
        assert len({round(hertz / 25) * 25 % 200 for hertz in heard}) == 1  # 0 or 50 above: one voice
    assert len(texts) > 10


def test_what_was_cut_once_does_not_stay_in_memory(
    utterances: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large corpus only so much is kept as there is room for: here nothing."""
    monkeypatch.setattr("unbraid.training.data.utterances._KEPT_BYTES", 0)
    data = PerturbedUtterances(utterances, WAVE, encode, replace(PLAIN, joined_probability=1.0), bunch=1, seed=0)
    tracemalloc.start()
    for k in range(30):
        data[k]
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 60_000  # the recordings are 345 kB


def test_silence_has_no_text(utterances: list[Utterance]) -> None:
    values = replace(PLAIN, silence_probability=1.0)
    item = PerturbedUtterances(utterances, WAVE, encode, values, bunch=1, seed=0)[0]
    assert item.symbols == ()
    assert not item.source.any()


def test_a_batch_is_padded(utterances: list[Utterance]) -> None:
    data = Utterances(utterances[:2], LOG_MEL, encode)
    batch = heard_batch([data[0], data[1]])
    assert batch.lengths.tolist() == [data[0].steps, data[1].steps]
    assert batch.source.shape == (2, 4 * data[0].steps, 64)
    assert not batch.source[1, 4 * data[1].steps :].any()
    assert batch.target.tolist() == [[BEGIN, 5, 6, 7, END], [BEGIN, 8, 9, END, PADDING]]
    assert batch.answers == [(5, 6, 7), (8, 9)]


def test_nothing_to_train_on() -> None:
    with pytest.raises(UsageError, match=r"^There is no speech to train on\.$"):
        PerturbedUtterances([], WAVE, encode, PLAIN, bunch=1, seed=0)
