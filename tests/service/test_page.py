"""The page in a real browser: from a chosen file to stems that play in step, and nothing asked of anybody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service_fakes import recording

from unbraid.service.client import Client

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
chromium = pytest.importorskip("browser", reason="Chromium's pipes need fcntl")
PROGRAM = chromium.find()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser: none of {', '.join(chromium.NAMES)} is installed")


@pytest.fixture(scope="module")
def opened(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """The page on a phone, with the stems of a recording of 2 seconds in its player."""
    assert PROGRAM
    song = recording(tmp_path_factory.mktemp("in") / "<b>song.wav", 2.0, 44100)
    with chromium.Browser(PROGRAM, tmp_path_factory.mktemp("profile"), 390, 844) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
        browser.call("Page.navigate", url=server.url)
        browser.until("document.readyState === 'complete' && document.querySelector('#model option') !== null")
        node = browser.call("DOM.getDocument")["root"]["nodeId"]
        found = browser.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        browser.call("DOM.setFileInputFiles", nodeId=found, files=[str(song)])
        browser.run("document.getElementById('model').value = 'music-2', document.getElementById('start').click()")
        browser.until("document.querySelectorAll('#player .lane').length === 2", 120)
        yield browser


def test_it_fits_a_phone(opened: chromium.Browser) -> None:
    assert opened.run("document.documentElement.scrollWidth") == 390
    heights = opened.run(
        "[...document.querySelectorAll('button, select, .button')].map(e => e.getBoundingClientRect().height)"
        ".filter(Boolean)"
    )
    assert min(heights) >= 36


def test_names_are_text(opened: chromium.Browser) -> None:
    assert opened.run("document.getElementById('player-title').textContent") == "<b>song.wav"
    assert opened.run("document.querySelector('main b')") is None


def test_controls_have_names(opened: chromium.Browser) -> None:
    tree = opened.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "combobox", "textbox", "checkbox", "link", "image")
    controls = [node for node in tree if node.get("role", {}).get("value") in roles]
    names = [node["name"]["value"] for node in controls]
    assert all(names)
    assert {"Play", "Position", "Solo vocals", "Mute vocals", "Volume of vocals", "Waveform of vocals"} <= set(names)


def clock(browser: chromium.Browser) -> float:
    return float(browser.run("document.querySelector('#player .transport input').value"))


def test_it_plays_and_loops(opened: chromium.Browser) -> None:
    opened.run("document.getElementById('play').click()")
    opened.until("document.querySelector('#player .transport input').value > 0.3")
    opened.press("b")  # a loop from the start to here
    for there in ("> 0.2", "< 0.15", "> 0.2", "< 0.15"):
        opened.until(f"document.querySelector('#player .transport input').value {there}")
        assert clock(opened) < 1
    opened.press("l")
    opened.press(" ", " ")
    assert opened.run("document.getElementById('play').textContent") == "Play"
    assert opened.run("document.querySelector('#player p[role=status]').textContent") == ""


def test_solo_quiets_the_others(opened: chromium.Browser) -> None:
    quiet = "[...document.querySelectorAll('#player .lane')].map(lane => lane.classList.contains('quiet'))"
    assert opened.run(quiet) == [False, False]
    opened.press("2", "2")
    assert opened.run(quiet) == [True, False]
    opened.run("[...document.querySelectorAll('#player button')].find(b => b.textContent === 'All tracks').click()")
    assert opened.run(quiet) == [False, False]


def test_waveforms_are_drawn(opened: chromium.Browser) -> None:
    inked = (
        "[...document.querySelectorAll('#player canvas')].map(c => c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data.filter((value, i) => i % 4 === 3 && value).length)"
    )
    assert min(opened.run(inked)) > 100


def test_the_list_follows_the_queue(opened: chromium.Browser, server, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_bytes(b"no audio")
    with Client(server.url) as client:
        job = client.submit(tmp_path / "text.wav")
        opened.until("document.querySelector('#jobs li .error').textContent.startsWith('text.wav is not audio')")
        client.delete(job.id)
        opened.until("document.querySelectorAll('#jobs li').length === 1")


def test_it_asks_nobody_else_and_complains_of_nothing(opened: chromium.Browser, server) -> None:
    assert {request.startswith(server.url) for request in opened.requests()} == {True}
    assert opened.complaints() == []
