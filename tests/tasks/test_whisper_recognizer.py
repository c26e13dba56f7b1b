"""Whisper over recordings: windows that move by the times written, languages, prompts, silence, loops."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unbraid.audio import Excerpt
from unbraid.errors import ModelError, UsageError
from unbraid.hub.names import import_model
from unbraid.tasks.attention import attention_maps
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.pages.attention_page import attention_page
from unbraid.tasks.pauses import pieces
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.whisper.options import WhisperOptions
from unbraid.tasks.transcription.whisper.recognizer import WhisperRecognizer, alignment_heads
from unbraid.tasks.transcription.whisper.rules import Rules
from unbraid.tasks.transcription.whisper.search import Start, Text, best_text
from whisper_fakes import (
    END,
    GEOMETRY,
    NUMBER,
    RATE,
    SPEC,
    SYMBOLS,
    TOKENIZER,
    TOKENS,
    WORDS,
    recognizer,
    time,
    tones,
)
from whisper_folders import write_whisper

SAID = [(0, 0.1), (1, 0.5), (2, 0.9), (3, 1.3), (0, 1.75), (1, 2.3), (2, 2.85), (3, 3.3), (1, 3.7)]
NAMES = [word.decode().strip() for word in WORDS]
GREEDY = WhisperOptions(beams=1)


def blocks(audio: np.ndarray, size: int) -> list[np.ndarray]:
    return [audio[:, i : i + size] for i in range(0, audio.shape[1], size)]


@pytest.mark.parametrize("size", [1600, 7001, 10**6])
def test_words_across_windows_are_found_once_in_their_places(size: int) -> None:
    audio = tones(*SAID, seconds=4.3)
    words = list(recognizer(options=GREEDY).words(iter(blocks(audio, size))))
    assert [word.text for word in words] == [NAMES[tone] for tone, _ in SAID]
    for word, (_, begin) in zip(words, SAID, strict=True):
        assert abs(word.start - begin) <= 0.06
        assert abs(word.end - begin - 0.2) <= 0.06
        assert word.confidence > 0.9


def test_beam_search_finds_the_same() -> None:
    audio = tones(*SAID, seconds=4.3)
    found = list(recognizer().words(iter([audio])))
    assert found == list(recognizer().words(iter([audio]), beams=3))
    assert [word.text for word in found] == [NAMES[tone] for tone, _ in SAID]


@pytest.mark.parametrize("batch", [2, 3, 16])
@pytest.mark.parametrize("size", [1600, 10**6])
def test_pieces_read_together_have_the_same_words(batch: int, size: int) -> None:
    audio = tones(*SAID, seconds=4.3)
    options = WhisperOptions(batch=batch)
    reader = recognizer(options=options)
    words = list(reader.words(iter(blocks(audio, size))))
    assert [word.text for word in words] == [NAMES[tone] for tone, _ in SAID]
    for word, (_, begin) in zip(words, SAID, strict=True):
        assert abs(word.start - begin) <= 0.06
        assert abs(word.end - begin - 0.2) <= 0.06
    timed = recognizer(options=dataclasses.replace(options, word_times=True)).words(iter(blocks(audio, size)))
    assert [word.text for word in timed] == [NAMES[tone] for tone, _ in SAID]


def test_pieces_read_together_are_not_given_the_text_before_them() -> None:
    seen: list[list[int]] = []

    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        seen.append(before)
        return [time(0.1), 256, time(0.3)]

    audio = tones((0, 0.1), (0, 1.1), (0, 2.1), seconds=3.0)
    list(recognizer(script, WhisperOptions(batch=2, prompt="two")).words(iter([audio])))
    assert all(before == TOKENIZER.encode(" two") for before in seen)


def test_a_batch_tries_again_only_the_rejected_text() -> None:
    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        loud = np.flatnonzero(log_mel.max(1) > log_mel.max() - 0.75)
        return [] if loud[0] > 30 else [time(0.1), 256, time(0.3)]  # no text is likely where the tone begins late

    audio = np.concatenate([tones((0, begin), seconds=1.0) for begin in (0.1, 0.5, 0.1)], axis=1)
    options = WhisperOptions(batch=3, beams=2, least_log_prob=-0.5, temperatures=(0.0, 0.2))
    words = list(recognizer(script, options).words(iter([audio])))
    assert [word.text for word in words if word.confidence > 0.9] == ["one", "one"]


def test_pieces_are_cut_at_pauses_and_leave_out_long_ones() -> None:
    said = [(0, 0.2), (1, 0.6), (2, 1.1), (3, 4.0)]
    audio = tones(*said, seconds=5.0)
    found = list(pieces(iter(blocks(audio, 700)), RATE, RATE))
    assert all(len(piece.audio) <= RATE for piece in found)
    assert all(np.array_equal(one.audio, audio[0, one.begin : one.begin + len(one.audio)]) for one in found)
    for _, begin in said:  # each tone lies in one piece
        assert any(one.begin <= begin * RATE and (begin + 0.2) * RATE <= one.begin + len(one.audio) for one in found)
    assert sum(len(one.audio) for one in found) < 4 * RATE
    ends = [one.begin + len(one.audio) for one in found]
    assert all(end <= one.begin for end, one in zip(ends, found[1:], strict=False))


def test_silence_is_not_even_looked_at() -> None:
    silent = recognizer(options=GREEDY)
    assert list(silent.words(iter([np.zeros((1, 5 * RATE), np.float32)]))) == []
    assert silent._decoder._encoder.seen == []  # type: ignore[attr-defined]
    assert list(silent.words(iter([]))) == []
    assert list(silent.words(iter([np.ones((1, 100), np.float32)]))) == []


def test_steady_sound_is_no_speech() -> None:
    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        return [time(0.1), 256, time(0.3)]

    random = np.random.default_rng(0)
    hiss = random.normal(0, 0.1, (1, RATE)).astype(np.float32)
    hum = 0.1 * np.sin(2 * np.pi * 120 * np.arange(RATE, dtype=np.float32) / RATE)[None]
    for sound in (hiss, hum, 0.01 * hiss + hum):
        assert list(recognizer(script, GREEDY).words(iter([sound]))) == []
        assert len(list(recognizer(script, dataclasses.replace(GREEDY, vad=False)).words(iter([sound])))) == 1
    syllables = np.repeat([0.2, 1.0], RATE // 10).tolist() * 5
    for voiced in (hiss * np.array(syllables), hum * np.array(syllables) + 0.01 * hiss):
        assert len(list(recognizer(script, GREEDY).words(iter([voiced.astype(np.float32)])))) == 1


def unsure(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
    """All tokens are equally likely."""
    return []


def test_an_unlikely_text_without_speech_is_left_out() -> None:
    audio = tones((0, 0.1), seconds=1.0)
    options = dataclasses.replace(GREEDY, temperatures=(0.0,))
    assert list(recognizer(unsure, options, no_speech=1.0).words(iter([audio]))) == []
    assert list(recognizer(unsure, options).words(iter([audio]))) != []


def test_the_language_is_found_and_said() -> None:
    notes: list[str] = []
    list(recognizer(options=GREEDY).words(iter([tones(*SAID, seconds=4.3)]), note=notes.append))
    assert notes == ["the language is de (100%); --language sets another"]
    notes.clear()
    given = dataclasses.replace(GREEDY, language="ja")
    list(recognizer(options=given).words(iter([tones(*SAID, seconds=4.3)]), note=notes.append))
    assert notes == []


def test_a_window_is_given_the_prompt_and_the_text_before_it() -> None:
    seen: list[list[int]] = []

    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        if not seen or seen[-1] != before:
            seen.append(before)
        return [time(0.1), 256, time(0.3)]

    audio = tones((0, 0.1), (0, 1.1), seconds=2.0)
    list(recognizer(script, dataclasses.replace(GREEDY, prompt="two")).words(iter([audio])))
    prompt = TOKENIZER.encode(" two")
    assert seen == [prompt, [*prompt, time(0.1), 256, time(0.3)]]
    seen.clear()
    list(recognizer(script, dataclasses.replace(GREEDY, follow=False)).words(iter([audio])))
    assert seen == [[]]
    seen.clear()
    list(recognizer(script, GREEDY).for_stretches().words(iter([audio])))  # what was said before a pause is not given
    assert seen == [[]]


def test_a_long_prompt_leaves_room_for_a_text() -> None:
    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        return [time(0.1), *range(100)]

    for options in (GREEDY, dataclasses.replace(GREEDY, temperatures=(0.5,), samples=2)):
        long = dataclasses.replace(options, prompt="two " * 100)
        assert list(recognizer(script, long).words(iter([tones((0, 0.1), seconds=1.0)]))) != []


def test_a_loop_is_left_out_and_said() -> None:
    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        return [time(0.1), 257, *[256] * 30]

    notes: list[str] = []
    words = list(recognizer(script, GREEDY).words(iter([tones((0, 0.1), seconds=1.0)]), note=notes.append))
    assert [word.text for word in words] == ["two", "one"]
    assert notes[-1] == "the model repeated itself from 0 s on; the repeats are left out"


def test_the_same_phrase_in_every_window_is_a_loop() -> None:
    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        return [time(0.1), 256, 257, time(0.3)]

    notes: list[str] = []
    audio = tones(*((0, i + 0.1) for i in range(8)), seconds=8.0)
    words = list(recognizer(script, GREEDY).words(iter([audio]), note=notes.append))
    assert [word.text for word in words] == ["one", "two"] * 3
    assert notes[-1] == "the model repeated itself from 3 s on; the repeats are left out"


def test_word_times_follow_the_attention() -> None:
    def script(log_mel: np.ndarray, before: list[int]) -> Sequence[int]:
        return [time(0.0), 256, 257, 258, time(0.98)]

    audio = tones((0, 0.1), seconds=1.0)
    timed = recognizer(script, dataclasses.replace(GREEDY, word_times=True))
    for listener in (timed, recognizer(script, GREEDY).for_stretches()):
        words = list(listener.words(iter([audio])))
        assert [word.text for word in words] == ["one", "two", "three"]
        np.testing.assert_allclose([word.start for word in words], [0, 0.2, 0.4], atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "xx"}, "tiny-whisper does not know the language 'xx'; it knows de, en, ja."),
        ({"task": "sing"}, "The task is one of transcribe, translate, not 'sing'."),
        ({"beams": 0}, "Whisper's option beams must be at least 1, got 0."),
        ({"temperatures": ()}, "Temperatures are numbers from 0 to 10, one at least"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        recognizer(options=WhisperOptions(**options))  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_a_model_for_english_alone_does_not_translate() -> None:
    tokens = dataclasses.replace(TOKENS, transcribe=None, translate=None, languages={})
    spec = dataclasses.replace(SPEC, tokens=tokens)
    networks = recognizer()._networks
    with pytest.raises(UsageError, match=r"tiny-whisper knows English only, so it does not translate"):
        WhisperRecognizer((networks[0], networks[1]), spec, TOKENIZER, WhisperOptions(task="translate"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"it knows English \(en\) only"):
        WhisperRecognizer((networks[0], networks[1]), spec, TOKENIZER, WhisperOptions(language="de"))  # type: ignore[arg-type]


def test_heads_are_those_of_the_network() -> None:
    wrong = dataclasses.replace(TOKENS, alignment_heads=((0, 9),))
    with pytest.raises(ModelError, match="1 layers of 2 heads, no head 0, 9"):
        alignment_heads(wrong, GEOMETRY, "tiny")
    none = dataclasses.replace(TOKENS, alignment_heads=())
    assert alignment_heads(none, GEOMETRY, "tiny") == ((0, 0), (0, 1))


def test_a_transcriber_runs_it_and_tells_its_notes() -> None:
    transcriber = Transcriber.over(recognizer(options=GREEDY))
    found = transcriber(tones(*SAID[:3], seconds=2.0), RATE)
    assert found.text == "one two three"
    assert found.notice == "the language is de (100%); --language sets another"
    transcriber.close()
    assert all(network.closed for network in transcriber._recognizer._networks)  # type: ignore[attr-defined]


# --- search ---


class Chain:
    """A state whose next tokens depend on the last one alone."""

    def __init__(self, table: dict[int, dict[int, float]]):
        self._table = table

    def copy(self) -> "Chain":
        return self

    def keep(self, rows: Sequence[int]) -> None:
        pass

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        return np.stack([self.row(int(token)) for token in tokens[:, -1]])

    def row(self, token: int) -> np.ndarray:
        row = np.full(SYMBOLS, -1000.0, np.float32)
        for follows, probability in self._table.get(token, {END: 1.0}).items():
            row[follows] = np.log(probability)
        return row


A, B, C = 65, 66, 67
TABLE = {0: {A: 0.6, B: 0.4}, A: {C: 0.5, END: 0.5}, B: {END: 1.0}, C: {END: 1.0}}


def start() -> Start:
    chain = Chain(TABLE)
    return Start(chain, chain.row(0)[None], 10, END)  # type: ignore[arg-type]


def test_more_beams_find_the_likelier_text() -> None:
    rules = Rules(TOKENS, with_times=False)
    sums = WhisperOptions(beams=1, length_penalty=0.0)
    assert best_text(start(), rules, sums, 0.0).tokens[0] == A
    wide = best_text(start(), rules, dataclasses.replace(sums, beams=3), 0.0)
    assert wide.tokens == (B,)
    assert sum(wide.logs) == pytest.approx(np.log(0.4), abs=1e-4)
    assert wide.mean_log_prob == pytest.approx(np.log(0.4) / 2, abs=1e-4)


def test_texts_are_compared_by_their_mean_or_with_a_penalty() -> None:
    short, long = Text((A,), (-1.0, 0.0)), Text((A, A, A), (-1.0, -0.4, -0.4, 0.0))
    assert short.score(None) < long.score(None)
    assert short.score(0.0) > long.score(0.0)


def test_samples_depend_on_the_seed_alone() -> None:
    rules, options = Rules(TOKENS, with_times=False), WhisperOptions(samples=1)
    found = [best_text(start(), rules, options, 1.0, seed).tokens for seed in range(40)]
    assert found == [best_text(start(), rules, options, 1.0, seed).tokens for seed in range(40)]
    assert {tokens[0] for tokens in found} == {A, B}


def test_no_text_is_longer_than_the_limit() -> None:
    chain = Chain({A: {A: 1.0}})
    begin = Start(chain, chain.row(A)[None], 6, END)  # type: ignore[arg-type]
    rules = Rules(TOKENS, with_times=False)
    for temperature in (0.0, 1.0):
        assert best_text(begin, rules, GREEDY, temperature).tokens == (A,) * 6


def test_special_numbers_are_checked() -> None:
    assert NUMBER["end"] == END
    for changes in ({"end": 10**7}, {"no_timestamps": SYMBOLS}, {"translate": None}, {"languages": {"<x>": 3}}):
        with pytest.raises(ValueError, match=r"end must|no_timestamps|both tasks|letters|token is a number"):
            dataclasses.replace(TOKENS, **changes)  # type: ignore[arg-type]


# --- a folder ---


def test_a_published_folder_is_imported_and_transcribes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights are random, and so are its words; they are text, and lie within the recording."""
    pytest.importorskip("onnx")
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    folder = import_model(write_whisper(tmp_path / "published"), "tiny")
    audio = np.random.default_rng(4).normal(0, 0.1, (1, 3 * RATE)).astype(np.float32)
    audio *= np.repeat([0.1, 1.0], RATE // 10).tolist() * 15
    options = WhisperOptions(word_times=True, beams=2, temperatures=(0.0, 0.5), samples=2, least_log_prob=-1000.0)
    with Transcriber(folder, threads=1, whisper=options) as transcriber:
        found = transcriber(audio, RATE)
        assert found == transcriber(audio, RATE)
    assert found.words
    for word in found.words:
        assert 0 <= word.start <= word.end <= 3.02
        word.text.encode()
    seen = attention_maps("tiny", audio, sample_rate=RATE, target="the end", excerpt=Excerpt(0.5, 0.6))
    assert [(one.kind, one.layer, one.heads.shape[0]) for one in seen.maps] == [("cross", 1, 3), ("cross", 2, 3)]
    assert seen.target is not None and seen.target.labels == ("␣the", "␣", "e", "n", "d", "<end>")
    assert seen.maps[0].heads.shape[1:] == (len(seen.target.labels), 30)
    assert (attention_page(seen, "a.wav")).startswith("<!doctype html>")
    with pytest.raises(UsageError, match="it knows de, en, ja"):
        Transcriber("tiny", whisper=WhisperOptions(language="fr"))
    with pytest.raises(UsageError, match="digits is no Whisper"):
        Transcriber("digits", whisper=options)


def test_a_generator_leaves_it_to_the_transcriber() -> None:
    encoder, decoder = recognizer()._networks
    with pytest.raises(UsageError, match="tiny-whisper writes after prompts, which a `Transcriber` gives it"):
        Generator.over(encoder, decoder, SPEC)  # type: ignore[arg-type]
