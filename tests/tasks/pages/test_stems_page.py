"""The page as text: whole in itself, safe with any name, and true about what it shows."""

import base64
import html
import io
import re

import av
import numpy as np
import pytest

from unbraid import audio
from unbraid.tasks.pages import Gathering, RunFacts, report_page, sound, stems_page
from unbraid.tasks.pages.gather import Gathered, Seen
from unbraid.tasks.separation.stream import Track

RATE = 8000
FACTS = RunFacts("song.wav", "music-2", 2.0)


def noise(channels: int, samples: int, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(0, level, (channels, samples))).astype(np.float32)


def gathered(mixture: np.ndarray, stems: dict[str, np.ndarray], rate: int = RATE, gain: float = 1.0) -> Gathered:
    """The data of a page: stems come in blocks of other sizes than their recording, and later."""
    gathering = Gathering(rate, len(next(iter(stems.values()))))
    for _ in gathering.hear(Track.of(mixture, RATE)):
        pass
    for at in range(0, max(stem.shape[1] for stem in stems.values()), 777):
        gathering.add({name: stem[:, at : at + 777] for name, stem in stems.items()})
    return gathering.finish(gain)


def sounds(text: str) -> dict[str, np.ndarray]:
    """The sound of each lane, decoded, as loud as the page plays it."""
    (gain,) = re.findall(r'data-gain="([^"]*)"', text)
    found = re.findall(r'data-stem="([^"]*)".*?class="sound">([^<]*)<', text, re.DOTALL)
    return {
        html.unescape(name): float(gain) * audio.read(io.BytesIO(base64.b64decode(data)))[0] for name, data in found
    }


def test_it_needs_nothing_but_itself():
    a, b = noise(2, 12000), noise(2, 12000, seed=1)
    text = report_page(gathered(a + b, {"vocals": a, "drums": b}), FACTS)
    words = re.sub(r"[A-Za-z0-9+/=]{500,}", "", text)  # without pictures and sound
    assert not re.search(r"https?:|//[a-z]|\bfetch\b|\bimport\b|XMLHttp|@import|url\(", words)
    assert set(re.findall(r'(?:src|href)="([^:"]*):', text)) == {"data"}
    assert "default-src 'none'; img-src data:;" in text
    assert text.count("<img ") == 3


def test_every_stem_is_heard_as_it_is():
    t = np.arange(2 * RATE) / RATE
    a, b = (0.4 * np.sin(2 * np.pi * hz * t)[None].astype(np.float32) for hz in (500, 1500))
    heard = sounds(report_page(gathered(a + b, {"voice1": a, "voice2": b}, gain=0.5), FACTS))
    assert list(heard) == ["voice1", "voice2"]
    levels = []
    for (name, samples), hz in zip(heard.items(), (500, 1500), strict=True):
        middle = samples[0, 8000:24000]  # at 16 kHz, one second
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(16000)))
        assert int(spectrum.argmax()) == hz, name
        levels.append(np.sqrt(2 * np.mean(middle**2)))
    assert levels == pytest.approx([0.2, 0.2], rel=0.03)  # their level, and the gain


NAMES = [
    "<script>alert(1)</script>.wav",
    '"><img src=x>.wav',
    "a & b.wav",
    "</title>.wav",
    "日本 🎵.wav",
    "x\udce9.wav",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text(name):
    a = noise(1, 800)
    text = report_page(gathered(a, {name: a}), RunFacts(name, name, 1.0))
    assert text.count("<script") == text.count("</script>") == 2  # one sound, one program
    assert text.count("<img ") == 2
    assert text.count("</title>") == 1
    assert f"<h1>{html.escape(name)}</h1>" in text


def test_what_is_left_over_is_measured_and_shown_only_where_it_is_heard():
    mixture = noise(2, 8000)
    whole = gathered(mixture, {"a": mixture / 2, "b": mixture / 2})
    assert whole.left_over_db < -120
    assert "left over" not in sounds(report_page(whole, FACTS))
    tenth = gathered(mixture, {"a": mixture / 2, "b": mixture * 0.4})
    assert tenth.left_over_db == pytest.approx(-20, abs=0.01)
    text = report_page(tenth, FACTS)
    assert "<dt>Left over</dt><dd>−20 dB, relative to the mixture</dd>" in text
    assert list(sounds(text)) == ["a", "b", "left over"]


def test_silence_has_a_page_too():
    silence = np.zeros((2, 4000), np.float32)
    text = report_page(gathered(silence, {"a": silence}), FACTS)
    assert "<dd>nothing: the stems are the mixture</dd>" in text
    assert '<span class="dim">silent</span>' in text
    loud = report_page(gathered(silence, {"a": silence + 0.1}), FACTS)
    assert "<dd>all: the mixture is silent</dd>" in loud


@pytest.mark.parametrize(("channels", "samples"), [(1, 1), (1, 9), (2, 100), (3, 4000), (6, 4000)])
def test_any_length_and_channels(channels, samples):
    a = noise(channels, samples)
    found = gathered(a, {"a": a})
    assert found.seconds == samples / RATE
    assert sounds(report_page(found, FACTS))["a"].shape[0] == min(2, channels)


def test_a_mono_mixture_is_compared_with_stereo_stems_at_another_rate():
    """As a raw run makes them."""
    t = np.arange(2 * RATE) / RATE
    mono = 0.3 * np.sin(2 * np.pi * 440 * t)[None].astype(np.float32)
    stereo = np.repeat(audio.resample(mono, RATE, 22050), 2, axis=0)
    assert gathered(mono, {"a": stereo}, rate=22050).left_over_db < -80


def test_one_scale_of_colours_for_all():
    loud, soft = noise(1, 8000), noise(1, 8000, 0.001, seed=1)
    text = report_page(gathered(loud + soft, {"loud": loud, "soft": soft}), FACTS)
    lightness = []
    for data in re.findall(r'data:image/png;base64,([^"]*)', text):
        with av.open(io.BytesIO(base64.b64decode(data)), format="png_pipe") as file:
            lightness.append(next(file.decode(video=0)).to_ndarray(format="gray").mean())
    mixture, of_loud, of_soft = lightness
    assert of_loud == pytest.approx(mixture, rel=0.02)
    assert of_soft < 0.5 * of_loud


def a_gathered(seconds: float) -> Gathered:
    seen = Seen(np.ones((144, 50), np.float32), np.ones(50, np.float32), 0.5, 1.0, b"opus")
    nothing = Seen(np.zeros((144, 50), np.float32), np.zeros(50, np.float32), 0.0, 1.0, b"opus")
    return Gathered(seen, {"a": seen}, nothing, seconds, 44100)


def test_hours_are_seen_and_the_first_minutes_heard():
    text = report_page(a_gathered(3 * 3600.0), FACTS)
    assert "Only the first 12 minutes can be heard here; the pictures show all." in text
    assert 'data-seconds="10800.000000" data-sounding="720.000000"' in text
    assert text.count('class="unheard" style="left: 6.667%"') == 3
    assert ">1:00:00<" in text
    assert "Only the first" not in report_page(a_gathered(700.0), FACTS)


def test_sound_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(sound, "LIMIT_SECONDS", 1.0)
    preview = sound.Sound(RATE, 1, 1.0)
    for _ in range(5):
        preview.add(noise(1, RATE))
    samples, rate = audio.read(io.BytesIO(preview.finish()))
    assert samples.shape[1] / rate == pytest.approx(1.0, abs=0.1)


def test_silence_is_heard_as_silence():
    preview = sound.Sound(RATE, 2, 1.0)
    preview.add(np.zeros((2, 2 * RATE), np.float32))
    samples, _ = audio.read(io.BytesIO(preview.finish()))
    assert np.abs(samples).max() < 2e-4


def test_facts_are_told():
    text = report_page(a_gathered(60.0), RunFacts("song.wav", "music-4", 6.0, -1.5))
    for words in ("music-4", "6.0 s (10.0 × real time)", "−1.5 dB, so that no stem clips", ">1:00<"):
        assert words in text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61, "1:01"), (0.5, "0:00.5"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert stems_page.clock(seconds) == text


@pytest.mark.parametrize("seconds", [0.0001, 0.3, 1, 59, 61, 240, 3601, 4e4, 1e6])
def test_there_are_a_few_round_times(seconds):
    times = stems_page.ticks(seconds)
    assert times[0] == 0
    assert len(times) <= 7 or seconds > 6 * 86400
    assert all(time <= seconds for time in times)


@pytest.mark.parametrize("columns", [1, 3, 199, 200, 201, 431, 1200])
def test_a_line_of_levels_is_true_to_time_and_level(columns):
    """Levels that fall by 60 dB from the start to the end lie on a straight line."""
    places = (np.arange(columns) + 0.5) / columns
    x, y = np.array([point.split(",") for point in stems_page.points(10 ** (-6 * places)).split()], float).T
    assert x.size <= stems_page.MOST_POINTS
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(y, x / 1000 * 60 / stems_page.LEVEL_RANGE_DB * 100, atol=0.4)


def test_what_is_left_over_late_is_heard_in_step():
    stem, late = noise(1, 12 * RATE), noise(1, 12 * RATE, seed=1) * 0.2
    late[:, : 10 * RATE] = 0  # longer than a block
    heard = sounds(report_page(gathered(stem + late, {"a": stem}), FACTS))
    assert heard["left over"].shape == heard["a"].shape
    loud = np.flatnonzero(np.abs(heard["left over"][0]) > 0.01)
    second = heard["a"].shape[1] / 12
    assert loud[0] / second == pytest.approx(10, abs=0.02)
