"""The bands of TIGERs, and the sizes of the published networks, whose graphs ship with the package."""

from unbraid.models.tiger.config import TigerConfig

Bands = tuple[tuple[int, int], ...]  # (Hz, how many bands of that width), from 0 Hz up; the rest is one more
VOICES: Bands = ((25, 40), (100, 10), (250, 8), (500, 8))  # of networks for voices
FILMS: Bands = ((50, 20), (100, 10), (250, 8), (500, 8), (1000, 8), (2000, 2))  # of those for speech, music and effects


def widths_of(bands: Bands, frame_samples: int, sample_rate: int) -> tuple[int, ...]:
    """The widths of all bands in bins, rounded down; the last one has the bins that are left."""
    bins = frame_samples // 2 + 1
    widths = [int(hertz / (sample_rate / 2) * bins) for hertz, count in bands for _ in range(count)]
    return (*widths, bins - sum(widths))


PUBLISHED = {
    "voices": TigerConfig(),  # TIGER-speech
    "films": TigerConfig(  # TIGER-DnR
        sources=3,
        chosen=(2, 0, 1),
        frame_samples=2048,
        hop_samples=512,
        widths=widths_of(FILMS, 2048, 44_100),
        features=132,
    ),
}
