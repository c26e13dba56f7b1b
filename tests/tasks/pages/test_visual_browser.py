"""The page in a real browser: it plays, in step, and asks for nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unbraid.corpora.rttm import Segment
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.pages import Gathering, RunFacts, report_page
from unbraid.tasks.pages.gather import Gathered
from unbraid.tasks.separation.stream import Track

chromium = pytest.importorskip("browser", reason="Chromium's pipes need fcntl")
RATE = 44100
SECONDS = 3.0
PROGRAM = chromium.find()

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser: none of {', '.join(chromium.NAMES)} is installed")


def gathered_of(stems: dict[str, np.ndarray], rate: int) -> Gathered:
    """The data of a page about stems and their sum."""
    gathering = Gathering(rate, len(next(iter(stems.values()))))
    for _ in gathering.hear(Track.of(np.sum(list(stems.values()), 0), rate)):
        pass
    gathering.add(stems)
    return gathering.finish()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two stems, each a click every half second, 100 ms apart from each other's."""
    folder = tmp_path_factory.mktemp("page")
    clicks = np.zeros((2, 2, round(SECONDS * RATE)), np.float32)  # (S, C, T)
    for stem in range(2):
        for start in np.arange(0.2, SECONDS - 0.3, 0.5):
            at = round((start + 0.1 * stem) * RATE)
            clicks[stem, :, at : at + 200] = 0.5 * np.hanning(200)
    gathered = gathered_of(dict(zip(("vocals", "<b>&drums"), clicks, strict=True)), RATE)
    html = folder / "report.html"
    html.write_text(report_page(gathered, RunFacts("<script>alert(1)</script>.wav", "music-2", 1.0)), encoding="utf-8")
    return html


@pytest.fixture(scope="module")
def opened(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """The page in a browser as wide as a phone."""
    assert PROGRAM
    with chromium.Browser(PROGRAM, tmp_path_factory.mktemp("profile"), 360, 800) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=True)
        browser.open(page)
        yield browser


def test_it_fits_a_phone(opened: chromium.Browser) -> None:
    assert opened.run("document.documentElement.scrollWidth") == 360
    assert opened.run("[...document.images].every(image => image.complete && image.naturalWidth > 20)")


def test_controls_have_names_and_are_large_enough_to_tap(opened: chromium.Browser) -> None:
    tree = opened.call("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in tree if node.get("role", {}).get("value") in ("button", "slider")]
    names = [node["name"]["value"] for node in controls]
    assert names == [
        "Play", "Position", "All stems", "Solo vocals", "Mute vocals", "Volume of vocals",
        "Solo <b>&drums", "Mute <b>&drums", "Volume of <b>&drums",
    ]  # fmt: skip
    heights = opened.run("[...document.querySelectorAll('button, input')].map(e => e.getBoundingClientRect().height)")
    assert min(heights) >= 36


def test_it_plays_all_stems_in_step_and_asks_for_nothing(opened: chromium.Browser) -> None:
    opened.run("play()")
    opened.until("playing && position() > 0.3")
    assert opened.run("lanes.every(lane => lane.buffer && lane.source)")
    lengths = opened.run("lanes.map(lane => lane.buffer.duration)")
    assert lengths == pytest.approx([SECONDS, SECONDS], abs=0.1)
    first = "(samples => samples.indexOf(Math.max(...samples)))(lane.buffer.getChannelData(0).slice(0, 8400))"
    found = opened.run(f"lanes.map(lane => {first} / lane.buffer.sampleRate)")  # of the loudest sample at the start
    assert found[1] - found[0] == pytest.approx(0.1, abs=2e-4)  # what is decoded is in step
    assert found[0] == pytest.approx(0.2, abs=0.06)
    opened.run("pause()")
    held = opened.run("offset")
    assert opened.run("[playing, position()]") == [False, held]
    assert float(opened.run("seekBar.value")) == pytest.approx(held, abs=1e-3)
    assert opened.requests() == [opened.run("location.href")]
    assert opened.complaints() == []


def gains(browser: chromium.Browser) -> list[float]:
    """What each stem is heard at."""
    return [float(gain) for gain in browser.run("lanes.map(level)")]


def test_solo_mute_and_volume(opened: chromium.Browser) -> None:
    opened.run("seek(0), play()")
    assert gains(opened) == [1, 1]
    opened.run("lanes[0].mute.click()")
    assert gains(opened) == [0, 1]
    opened.run("lanes[0].solo.click()")
    assert gains(opened) == [1, 0]
    opened.run("lanes[1].solo.click()")
    assert gains(opened) == [1, 1]
    opened.run("lanes[1].volume.value = 25, lanes[1].volume.dispatchEvent(new Event('input'))")
    assert gains(opened) == [1, 0.25]
    opened.until("Math.abs(lanes[1].gain.gain.value - 0.25) < 1e-3")
    assert opened.run("lanes[1].solo.getAttribute('aria-pressed')") == "true"
    opened.run("document.getElementById('all').click()")
    assert gains(opened) == [1, 1]


def test_keys_and_pictures_move_one_cursor(opened: chromium.Browser) -> None:
    opened.run("pause(), seek(0), document.activeElement.blur()")
    opened.press("ArrowRight")
    assert opened.run("offset") == SECONDS  # five seconds, as far as there are
    opened.press("Home")
    opened.press(" ", " ")
    opened.until("playing")
    opened.press(" ", " ")
    opened.until("!playing")
    opened.press("2", "2")
    assert gains(opened) == [0, 1]
    opened.press("2", "2")
    box = opened.run(
        "(b => [b.left + b.width / 2, b.top + 20])(document.querySelector('.view').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        opened.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
    assert opened.run("offset") == pytest.approx(SECONDS / 2, abs=0.02)
    lefts = opened.run("[...document.querySelectorAll('.cursor')].map(c => c.getBoundingClientRect().left)")
    assert len(lefts) == 4  # mixture, two stems, levels
    assert max(lefts) - min(lefts) < 2


def test_at_the_end_it_stops_and_starts_again(opened: chromium.Browser) -> None:
    opened.run(f"pause(), seek({SECONDS} - 0.2), play()")
    opened.until("!playing && offset === sounding && !playButton.disabled")
    opened.run("play()")
    opened.until("playing && position() < 1")
    opened.run("pause()")
    assert opened.complaints() == []


@pytest.fixture(scope="module")
def talk(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """The page of a conversation of two in a browser as wide as a phone."""
    folder, seconds = page.parent, 120.0
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 1, round(seconds * 8000))).astype(np.float32)
    tracks = dict(zip(("anna", "ben"), noise, strict=True))
    segments = (Segment(1, 40, "anna", 0.9), Segment(30, 60, "ben", 0.5), Segment(80, 100, "anna", 0.9))
    facts = RunFacts("talk.wav", "speech", 1.0, conversation=Conversation(("anna", "ben"), segments, seconds))
    html = folder / "talk.html"
    html.write_text(report_page(gathered_of(tracks, 8000), facts), encoding="utf-8")
    assert PROGRAM
    with chromium.Browser(PROGRAM, tmp_path_factory.mktemp("profile"), 390, 800) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
        browser.open(html)
        yield browser


def speaking(browser: chromium.Browser) -> list[str]:
    """Whose names are marked."""
    found: list[str] = browser.run("[...document.querySelectorAll('.speaking')].map(e => e.dataset.stem)")
    return found


def test_lanes_of_people_fit_a_phone_and_are_heard(talk: chromium.Browser) -> None:
    assert talk.run("document.documentElement.scrollWidth") == 390
    assert talk.run("lanes.map(lane => lane.name)") == ["anna", "ben"]
    talk.run("lanes[0].solo.click()")
    assert gains(talk) == [1, 0]
    talk.run("lanes[0].solo.click(), play()")
    talk.until("playing && position() > 0.1")
    talk.run("pause()")
    assert talk.complaints() == []


def test_names_light_up_and_keys_go_from_turn_to_turn(talk: chromium.Browser) -> None:
    talk.run("pause(), seek(0), document.activeElement.blur()")
    assert speaking(talk) == []
    found = []
    for key in ("n", "n", "n", "p"):
        talk.press(key, key)
        found.append((talk.run("offset"), speaking(talk)))
    assert found == [(1, ["anna"]), (30, ["anna", "ben"]), (80, ["anna"]), (30, ["anna", "ben"])]


def test_a_click_goes_there_also_when_zoomed(talk: chromium.Browser) -> None:
    talk.run("pause(), seek(60), document.querySelectorAll('[data-zoom]')[1].click()")
    assert talk.run("document.getElementById('zoom').textContent") == "2×"
    left, width, y = talk.run(
        "(b => [b.left, b.width, b.top + 10])(document.querySelector('.strip').getBoundingClientRect())"
    )
    assert left + width / 2 == pytest.approx(195, abs=2)  # the cursor is in the middle
    for kind in ("mousePressed", "mouseReleased"):
        talk.call("Input.dispatchMouseEvent", type=kind, x=195 - width / 12, y=y, button="left", clickCount=1)
    assert talk.run("offset") == pytest.approx(50, abs=0.5)
    assert talk.run("document.documentElement.scrollWidth") == 390
    talk.press("-", "-")
    assert talk.run("document.getElementById('zoom').textContent") == "1×"


def test_the_cursor_goes_where_nothing_is_heard_and_says_so(talk: chromium.Browser) -> None:
    html = Path(talk.run("decodeURIComponent(location.pathname)"))
    short = html.with_name("short.html")
    short.write_text(
        html.read_text(encoding="utf-8").replace('data-sounding="120', 'data-sounding="30'), encoding="utf-8"
    )
    talk.open(short)
    talk.run("seek(90), play()")
    assert talk.run("[offset, playing]") == [90, False]
    assert "The sound of this page ends at 0:30" in talk.run("message.textContent")
    talk.run("seek(10), play()")
    talk.until("playing")
    talk.run("seek(60)")
    assert talk.run("[offset, playing, playButton.textContent]") == [60, False, "Play"]
    assert talk.complaints() == []
