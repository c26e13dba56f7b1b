"""Simulated rooms: voices at a microphone in a shoebox with reflecting walls (Allen and Berkley, 1979).

The image sources are pyroomacoustics' (Scheibler et al., arXiv 1710.04196). The direct path of each voice is scaled to
unit energy, so that a voice keeps its level, and the delay that all voices have in common is taken out. A target and
its part of the mixture are aligned to the sample, since both come from the same simulation.
"""

from dataclasses import dataclass

import numpy as np

from unbraid.corpora.levels import Array
from unbraid.errors import RuntimeUnavailable

SPEED_OF_SOUND = 343.0  # m/s
FILTER_DELAY = 40  # samples: pyroomacoustics' fractional delays are filters of 81 taps
SIZES = ((3.0, 8.0), (3.0, 8.0), (2.5, 3.5))  # m: length, width, height
FROM_WALLS, HEADS = 0.5, (1.2, 1.8)  # m: distance of everybody from the walls; heights of mouths and microphone
DISTANCES = (0.5, 2.0)  # m between microphone and mouths
MOST_REFLECTIONS = 17  # of one path; the time to simulate a room grows with the cube


@dataclass(frozen=True)
class Room:
    """A shoebox with one microphone and voices in it."""

    size: Array  # (3,) m
    microphone: Array  # (3,) m
    voices: Array  # (S, 3) m
    absorption: float  # share of energy that a wall takes


@dataclass(frozen=True)
class Response:
    """The path of a voice to the microphone."""

    direct: Array  # (t,): its first wave front alone
    whole: Array  # (t,): with all reflections
    delay: int  # samples to cut: the path of the nearest voice, and the simulation's own delay


def draw_room(voices: int, reverberation_seconds: float, random: np.random.Generator) -> Room:
    """Draw a room with about this reverberation time (Sabine's T60), and places in it."""
    size = np.array([random.uniform(*ends) for ends in SIZES])
    volume, surface = size.prod(), 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    absorption = 24 * np.log(10) / SPEED_OF_SOUND * volume / (surface * reverberation_seconds)
    microphone = _place(size, random)
    places: list[Array] = []
    while len(places) < voices:
        place = _place(size, random)
        if DISTANCES[0] <= np.linalg.norm(place - microphone) <= DISTANCES[1]:
            places.append(place)
    return Room(size, microphone, np.stack(places), float(min(absorption, 0.99)))


def responses(room: Room, sample_rate: int) -> list[Response]:
    """The response from each voice to the microphone.

    Raises:
        RuntimeUnavailable: pyroomacoustics is not installed.
    """
    direct, whole = (_impulse_responses(room, sample_rate, order) for order in (0, MOST_REFLECTIONS))
    nearest = np.linalg.norm(room.voices - room.microphone, axis=1).min()
    delay = FILTER_DELAY + int(nearest / SPEED_OF_SOUND * sample_rate)
    found = []
    for first, every in zip(direct, whole, strict=True):
        gain = 1 / np.sqrt(np.sum(first**2))
        found.append(Response((gain * first).astype(np.float32), (gain * every).astype(np.float32), delay))
    return found


def heard(voice: Array, path: Array, delay: int) -> Array:
    """A voice (T,) convolved with an impulse response (t,), without its first `delay` samples: (T,)."""
    from scipy.signal import oaconvolve

    return np.asarray(oaconvolve(voice, path)[delay : delay + len(voice)], np.float32)


def in_room(voices: Array, room: Room, sample_rate: int) -> tuple[Array, Array]:
    """Voices (S, T) in a room, and their direct path alone: (S, T) each."""
    pairs = list(zip(voices, responses(room, sample_rate), strict=True))
    sound = [heard(voice, response.whole, response.delay) for voice, response in pairs]
    direct = [heard(voice, response.direct, response.delay) for voice, response in pairs]
    return np.stack(sound), np.stack(direct)


def _place(size: Array, random: np.random.Generator) -> Array:
    across = random.uniform(FROM_WALLS, size[:2] - FROM_WALLS)
    return np.array([*across, random.uniform(*HEADS)])


def _impulse_responses(room: Room, sample_rate: int, order: int) -> list[Array]:
    """An impulse response (t,) for each voice; zero delay is the sample at which fractional delays are centred."""
    try:
        import pyroomacoustics
    except ImportError:
        raise RuntimeUnavailable(
            "Simulated rooms need pyroomacoustics: `pip install pyroomacoustics`, or do without rooms."
        ) from None
    walls = pyroomacoustics.Material(room.absorption)
    box = pyroomacoustics.ShoeBox(room.size, fs=sample_rate, materials=walls, max_order=order)
    box.add_microphone(room.microphone)
    for place in room.voices:
        box.add_source(place)
    box.compute_rir()
    return [np.asarray(response) for response in box.rir[0]]
