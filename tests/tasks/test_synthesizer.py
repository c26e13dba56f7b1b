"""From text to sound: what is said in which order, the contract of the sound, and models that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaking_fakes import FRAMES, MEL, RATE, SYMBOLS, FakeSpeaker, FakeVocoder, synthesizer, vocoder_spec, voice_spec
from text_fakes import words_spec
from unbraid.errors import ModelError, ModelNotFound, UsageError
from unbraid.hub.spec import Mel
from unbraid.hub.vocabulary import END
from unbraid.tasks.loading import check_task
from unbraid.tasks.synthesis.synthesizer import PAUSE_SECONDS, SENTENCES, Synthesizer
from unbraid.tasks.vocoder import check_vocoder

PAUSE = round(PAUSE_SECONDS * RATE)


def read(audio: np.ndarray) -> str:
    """What the fake vocoder was given, sentences apart by |."""
    numbers = np.rint(audio[0] / 0.01).astype(int)
    said = [
        SYMBOLS[n] if n > END else "" if n == END else "|"
        for n, before in zip(numbers, [-1, *numbers], strict=False)
        if n != before
    ]
    return "".join(said)


def test_words_digits_and_pauses_are_said_in_order() -> None:
    said = synthesizer(FakeVocoder())("Ab 1, cd! Go.")
    assert read(said) == "AB ONE,CD.|GO."
    symbols = len("AB ONE,CD.") + len("GO.") + 2  # two ends
    assert said.shape == (1, symbols * FRAMES * MEL.hop_samples + PAUSE)


def test_a_long_text_is_said_some_sentences_at_a_time() -> None:
    speaker = FakeSpeaker()
    text = "ab. " * (2 * SENTENCES + 1)
    blocks = synthesizer(FakeVocoder(), speaker).blocks(text)
    next(blocks)
    assert speaker.batches == [SENTENCES]
    lengths = [block.shape[1] for block in blocks]
    assert speaker.batches == [SENTENCES, SENTENCES, 1]
    assert lengths[0::2] == [PAUSE] * 2 * SENTENCES
    assert len(set(lengths[1::2])) == 1


@settings(deadline=None, max_examples=20)
@given(st.text(st.sampled_from("ab3, ."), min_size=1, max_size=20).filter(lambda text: set(text) & set("ab3")))
def test_the_contract_without_a_vocoder(text: str) -> None:
    audio = synthesizer()(text)
    assert (audio.dtype, audio.ndim, len(audio)) == (np.float32, 2, 1)
    assert np.isfinite(audio).all()
    assert 0 < np.abs(audio).max() <= 1
    np.testing.assert_array_equal(synthesizer()(text), audio)


def test_what_is_too_loud_is_turned_down() -> None:
    audio = synthesizer(FakeVocoder(gain=10.0))("ab")
    assert np.abs(audio).max() == 1
    numbers = [SYMBOLS.index(symbol) for symbol in "AB."] + [END]
    np.testing.assert_allclose(np.unique(audio), np.sort(numbers) / max(numbers), rtol=1e-6)


def said(voice: Synthesizer, text: str) -> tuple[np.ndarray, str | None]:
    """The audio of a text, and what is to be known of it."""
    run = voice.blocks(text)
    audio = np.concatenate(list(run), axis=1)
    np.testing.assert_array_equal(voice(text), audio)
    return audio, run.diagnostics.notice


def test_what_does_not_end_is_cut_off_and_told() -> None:
    voice = synthesizer(FakeVocoder())
    audio, notice = said(voice, "ax. b.")
    assert notice == "voice found no end of 'ax.'; it was cut off after 2.0 s"
    assert audio.shape[1] <= 2 * RATE + PAUSE + 3 * FRAMES * MEL.hop_samples
    assert said(voice, "b")[1] is None


def test_a_sentence_is_cut_off_by_its_own_length_whatever_else_is_said() -> None:
    voice = synthesizer(FakeVocoder())
    after = " ".join(["b."] * 2 * SENTENCES)
    alone, among = (voice(f"ax. {others} cx.").shape[1] for others in ("", f"{'long words ' * 5}. {after}"))
    lengths = [voice(text).shape[1] for text in ("ax.", "cx.", f"{'long words ' * 5}.", "b.")]
    assert said(voice, "b.")[1] is None
    assert alone == sum(lengths[:2]) + PAUSE
    assert among == sum(lengths[:3]) + 2 * SENTENCES * lengths[3] + (2 + 2 * SENTENCES) * PAUSE
    _, notice = said(voice, f"ax. {after} cx.")
    assert notice == "voice found no end of 'ax.'; it was cut off after 2.0 s"  # the first of them


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There are no words in this text; give at least one."),
        (" , .", "There are no words in this text; give at least one."),
        ("a. b €", "€ cannot be said; texts are made of English words, the digits 0 to 9 and punctuation. "
                   "Write numbers and signs out as words."),
        ("a. да", "speller cannot read д, а in 'да'; it reads '-.abcdefghijklmnopqrstuvwxyz. "
                  "Write numbers and signs out as words."),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_before_anything_is(text: str, sentence: str) -> None:
    speaker = FakeSpeaker()
    with pytest.raises(UsageError) as caught:
        synthesizer(FakeVocoder(), speaker).blocks(text)
    assert str(caught.value) == sentence
    assert not speaker.batches


def test_models_of_other_tasks_are_refused() -> None:
    for spec, task in [(words_spec(), "phonemes"), (vocoder_spec(), "vocoder")]:
        with pytest.raises(UsageError) as caught:
            check_task(spec, "acoustic model")
        told = f"The task of {spec.name} is {task}, not acoustic model; choose another of `unbraid models`."
        assert str(caught.value) == told
    with pytest.raises(UsageError) as caught:
        check_vocoder(voice_spec(), voice_spec())
    assert str(caught.value) == "The task of voice is acoustic model, not vocoder; choose another of `unbraid models`."


def test_a_vocoder_for_another_spectrogram_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        synthesizer(FakeVocoder(vocoder_spec(Mel(80, 20, 40), 16000)))
    assert str(caught.value) == (
        "vocoder reads 40 bands of 80 samples every 20 at 16000 Hz (decibels), but voice writes 40 bands of 64 samples "
        "every 40 at 8000 Hz (decibels); take a vocoder for the same spectrogram."
    )


def test_a_phonemizer_that_the_voice_was_not_trained_with_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        synthesizer(None, FakeSpeaker(voice_spec(symbols=SYMBOLS[:-2])))
    assert str(caught.value) == (
        "voice does not know Y, Z, which speller writes; name the phonemizer that it was trained with."
    )


def test_closing_frees_all() -> None:
    speaker, vocoder = FakeSpeaker(), FakeVocoder()
    with synthesizer(vocoder, speaker):
        assert not speaker.closed
    assert speaker.closed
    assert vocoder.closed


def test_a_voice_that_nobody_trained_yet_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound) as caught:
        Synthesizer()
    assert str(caught.value) == (
        "No voice is inside the package or published, and none on this machine is called 'speak'. Make speech with "
        "`unbraid data speak --phrases`, train on it in ten minutes with `unbraid train speak`, and name the new "
        "folder with -m."
    )
    with pytest.raises(ModelNotFound, match="No model or folder is called 'other'"):
        Synthesizer("other")
