"""Writes a conversation from its plan, block by block, in constant memory; its folder appears at once.

    mixture.flac         the sum of the others, sample by sample
    speaker-ID.flac      each person alone, as long as the mixture
    noise.flac           where there is noise
    speakers.rttm        who speaks when
    conversation.json    the settings, the people, and who said which utterance

Files are of 16 bits. Where a sum would clip, the loudest part of it is clipped by as much, so that it stays exact.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora.conversing.noise import NoiseFeed
from unbraid.corpora.conversing.plan import ConversationPlan, Conversing, Turn
from unbraid.corpora.levels import REFERENCE_RMS, Array
from unbraid.corpora.mixtures import Clip, read_clip
from unbraid.corpora.rooms import Response, draw_room, heard, responses
from unbraid.corpora.rttm import to_rttm
from unbraid.files.atomic import appearing
from unbraid.files.workdir import disk_errors

MIXTURE, SPEAKERS, RECORD, NOISE = "mixture.flac", "speakers.rttm", "conversation.json", "noise.flac"
_BLOCK_SECONDS = 20
_FADE_SECONDS = 0.005  # at both ends of an utterance, so that cuts do not click
_FULL_SCALE = 32768
_ROOM, _NOISE = 1, 2  # what else is drawn for a conversation, each by its own generator
_REVERBERATION_SECONDS = (0.15, 0.45)


def reference_name(speaker: str) -> str:
    """The file of a person, by the name in files."""
    return f"speaker-{speaker}.flac"


def write_conversation(plan: ConversationPlan, how: Conversing, noises: tuple[Clip, ...], place: Path) -> None:
    """Write the folder place/NAME.

    Raises:
        UnbraidError: a recording cannot be read, or the disk refuses.
    """
    names = [reference_name(person.id) for person in plan.people] + [NOISE] * bool(noises)
    fmt = audio.choose_format("flac", subtype="16")
    with disk_errors(place, " with --out"), appearing(place / plan.name, replace=False) as hidden:
        hidden.mkdir()
        with ExitStack() as opened:
            mixture, *parts = [
                opened.enter_context(audio.Writer(hidden / name, how.sample_rate, 1, fmt)) for name in (MIXTURE, *names)
            ]
            for block in sound_blocks(plan, how, noises):  # (P, n)
                mixture.write(block.sum(0, keepdims=True))
                for writer, part in zip(parts, block, strict=True):
                    writer.write(part[None])
        (hidden / SPEAKERS).write_text(to_rttm(plan.segments, plan.name), encoding="utf-8")
        (hidden / RECORD).write_text(plan.as_json(how), encoding="utf-8")


def sound_blocks(plan: ConversationPlan, how: Conversing, noises: tuple[Clip, ...]) -> Iterator[Array]:
    """Everybody's sound, and the noise in the last row: (P, n), in whole steps of 16 bits, with sums within them."""
    rate, total = how.sample_rate, _at(plan.ms, how)
    feed = None
    if noises:
        feed = NoiseFeed(noises, rate, _noise_rms(how), _generator(plan, how, _NOISE))
    sounding: list[tuple[int, int, Array]] = []  # person, first sample, audio
    waiting, paths = list(plan.turns), _paths(plan, how)
    for first in range(0, total, _BLOCK_SECONDS * rate):
        last = min(total, first + _BLOCK_SECONDS * rate)
        while waiting and _at(waiting[0].start_ms, how) < last:
            turn = waiting.pop(0)
            sounding.append((turn.person, _at(turn.start_ms, how), _sound(turn, paths[turn.person], how)))
        block = np.zeros((len(plan.people) + bool(feed), last - first), np.float32)
        for person, start, sound in sounding:
            a, b = max(first, start), min(last, start + len(sound))
            block[person, a - first : b - first] += sound[a - start : b - start]
        sounding = [each for each in sounding if each[1] + len(each[2]) > last]
        if feed:
            block[-1] = feed.read(last - first)
        yield in_steps(block)


def in_steps(parts: Array) -> Array:
    """Parts (P, n) in whole steps of 16 bits; where their sum would clip, the loudest one is clipped by as much."""
    steps = np.rint(parts * _FULL_SCALE).astype(np.int32)
    low, high = -_FULL_SCALE, _FULL_SCALE - 1
    np.clip(steps, low, high, out=steps)
    total = steps.sum(0)
    excess = total - np.clip(total, low, high)  # (n,)
    (over,) = excess.nonzero()
    loudest = (steps[:, over] * np.sign(excess[over])).argmax(0)
    steps[loudest, over] -= excess[over]
    return (steps / _FULL_SCALE).astype(np.float32)


def _sound(turn: Turn, path: Response | None, how: Conversing) -> Array:
    """An utterance at its level, in the room."""
    voice = read_clip(turn.utterance.clip, how.sample_rate).copy()  # (T,)
    fade = min(len(voice) // 2, round(_FADE_SECONDS * how.sample_rate))
    ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
    voice[:fade] *= ramp
    voice[len(voice) - fade :] *= ramp[::-1]
    voice *= np.float32(REFERENCE_RMS * 10 ** (turn.level_db / 20) / turn.utterance.rms)
    return voice if path is None else heard(np.pad(voice, (0, len(path.whole))), path.whole, path.delay)


def _paths(plan: ConversationPlan, how: Conversing) -> list[Response] | list[None]:
    """The path of each person to the microphone."""
    if not how.rooms:
        return [None] * len(plan.people)
    random = _generator(plan, how, _ROOM)
    room = draw_room(len(plan.people), float(random.uniform(*_REVERBERATION_SECONDS)), random)
    return responses(room, how.sample_rate)


def _noise_rms(how: Conversing) -> float:
    assert how.snr_db is not None
    return float(REFERENCE_RMS * 10 ** (-how.snr_db / 20))


def _generator(plan: ConversationPlan, how: Conversing, purpose: int) -> np.random.Generator:
    return np.random.default_rng((how.seed, plan.number, purpose))


def _at(ms: int, how: Conversing) -> int:
    """A time in samples."""
    return round(ms * how.sample_rate / 1000)
