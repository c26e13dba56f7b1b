"""The vocals of a song: a voice that sings its melody, or an unprocessed recording, with reverb."""

from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora.rendering.effects import Array, in_hall, placed
from unbraid.corpora.rendering.melody import Tone, made_up, one_line, together
from unbraid.corpora.rendering.midi import Note
from unbraid.corpora.rendering.plan import Plan, SingerPlan
from unbraid.corpora.rendering.singing import Frames, Voice, analysed, analysis_rate, pitched, sing
from unbraid.corpora.rendering.synth import RATE
from unbraid.dsp.downmix import downmixed
from unbraid.errors import UnbraidError

_VOICE_SECONDS = 12.0  # of speech are analysed
_SECOND_VOICE_DB, _SECOND_VOICE_SECONDS = -5.0, 0.025
_VOICE = 1  # the voice's random generator among a song's


def sung_part(singer: SingerPlan, plan: Plan, notes: list[Note]) -> Array:
    """The vocals (2, T) at 44.1 kHz."""
    random = np.random.default_rng((plan.seed, plan.number, _VOICE))
    if not singer.sung:
        return _as_recorded(singer, plan.seconds)
    sung = _sung(singer, plan, notes, random)
    return in_hall(placed(sung, singer.pan, singer.width, RATE), singer.hall_seconds, singer.hall_db, RATE, random)


def _as_recorded(singer: SingerPlan, seconds: float) -> Array:
    """A piece of a recording, the louder of two, mono doubled."""
    path = Path(singer.files[0])
    length = audio.probe(path).duration or seconds
    starts = {place % 1 * max(0.0, length - seconds) for place in (singer.start, singer.start + 0.5)}
    excerpts = [audio.Excerpt(start, min(seconds, length - start)) for start in sorted(starts)]
    pieces = [audio.read(path, excerpt) for excerpt in excerpts]
    sound, rate = max(pieces, key=lambda piece: float(np.mean(piece[0] ** 2)))
    sound = audio.resample(np.repeat(sound[:1], 2, 0) if len(sound) == 1 else sound[:2], rate, RATE)
    return _of_length(sound, round(seconds * RATE))


def _sung(singer: SingerPlan, plan: Plan, notes: list[Note], random: np.random.Generator) -> Array:
    """The melody (T,) at 44.1 kHz, in two voices where the plan wants them."""
    voice, melody = _voice(singer), _melody(singer, plan, notes, random)
    rate = voice.sample_rate
    sound = sing(voice, melody, plan.seconds, singer, random)
    if singer.harmony_semitones is not None:
        detune = 100 * singer.harmony_semitones + random.uniform(5, 15)
        second = sing(voice, melody, plan.seconds, singer, random, detune)
        late = round(_SECOND_VOICE_SECONDS * rate)
        sound[late:] += 10 ** (_SECOND_VOICE_DB / 20) * second[: len(second) - late]
    stereo = audio.resample(sound[None], rate, RATE)  # (1, T)
    return np.asarray(_of_length(stereo, round(plan.seconds * RATE))[0])


def sung_f0(plan: Plan, notes: list[Note]) -> Frames:
    """The f0 (N,) in Hz of a song's first voice in frames of 5 ms, 0 where nothing is sung: the truth for trackers.

    Raises:
        UnbraidError: nobody sings in it, or a recording is not there.
    """
    singer = plan.singer
    if singer is None or not singer.sung:
        raise UnbraidError(f"Nobody sings in {plan.name}, so that it has no f0; take another song.")
    random = np.random.default_rng((plan.seed, plan.number, _VOICE))
    melody = _melody(singer, plan, notes, random)
    return pitched(_voice(singer), melody, plan.seconds, singer, random)[0]


def _voice(singer: SingerPlan) -> Voice:
    return analysed(*_speech(singer))


def _melody(singer: SingerPlan, plan: Plan, notes: list[Note], random: np.random.Generator) -> list[Tone]:
    """The melody of the song, or one that is made up, in the song's key."""
    lines = [one_line([note for note in notes if note.channel == channel]) for channel in singer.melody_channels]
    melody = [tone._replace(pitch=tone.pitch + plan.transpose) for tone in together(lines)]
    return melody or made_up(plan.seconds, random)


def _speech(singer: SingerPlan) -> tuple[Array, int]:
    """The recordings concatenated (T,) up to the length needed, at the rate of the first."""
    pieces: list[Array] = []
    rate, seconds = 0, 0.0
    for path in map(Path, singer.files):
        length = audio.probe(path).duration
        wanted = _VOICE_SECONDS - seconds if length is None else min(length, _VOICE_SECONDS - seconds)
        sound, own_rate = audio.read(path, audio.Excerpt(duration=wanted))
        rate = rate or analysis_rate(own_rate)
        mono = audio.resample(downmixed(sound, own_rate), own_rate, rate)[0]
        pieces.append(mono / max(1e-4, float(np.sqrt(np.mean(mono**2)))))
        seconds += len(mono) / rate
        if seconds > _VOICE_SECONDS - 0.5:
            break
    return np.concatenate(pieces), rate


def _of_length(sound: Array, samples: int) -> Array:
    return np.pad(sound[:, :samples], ((0, 0), (0, max(0, samples - sound.shape[1]))))
