"""The page of attention in a real browser: it fits, is read by pointer, tap and keys, and asks for nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unbraid.tasks.attention import AttentionMap, AttentionMaps, Axis
from unbraid.tasks.pages.attention_page import attention_page

chromium = pytest.importorskip("browser", reason="Chromium's pipes need fcntl")
PROGRAM = chromium.find()

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser: none of {', '.join(chromium.NAMES)} is installed")

WORDS, PHONES = Axis(4, ("c", "a", "<b>", "<end>")), Axis(2, ("K", "<end>"))


def pages(folder: Path) -> None:
    """Letters to phonemes, and audio of 600 steps to phonemes."""
    random = np.random.default_rng(0)
    sound = Axis(600, levels=random.uniform(-1, 1, (1200, 64)).astype(np.float32), seconds=24.0)
    for name, source in (("words", WORDS), ("sound", sound)):
        n = source.steps
        cross = np.eye(2, n, dtype=np.float32)[None].repeat(3, 0)  # K: the first, <end>: the second
        even = np.full((3, n, n), 1 / n, np.float32)
        maps = [AttentionMap("encoder", layer, even, source, source) for layer in (1, 2)]
        before = Axis(2, ("<begin>", "K"))
        maps.append(AttentionMap("decoder", 1, np.tril(np.ones((3, 2, 2), np.float32)) / [[1], [2]], PHONES, before))
        maps.append(AttentionMap("cross", 1, cross, PHONES, source))
        text = attention_page(AttentionMaps("tiny", tuple(maps), PHONES), name)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pages")
    pages(found)
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    assert PROGRAM
    with chromium.Browser(PROGRAM, tmp_path_factory.mktemp("profile")) as found:
        yield found


def opened(browser: chromium.Browser, page: Path, width: int = 1200) -> chromium.Browser:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    browser.open(page)
    browser.until("drawn.length && drawn[0].box")
    return browser


def choose(browser: chromium.Browser, name: str, value: str) -> None:
    browser.run(f"document.querySelector('input[name={name}][value=\"{value}\"]').click()")


def told(browser: chromium.Browser) -> str:
    text: str = browser.run("told.textContent")
    return text


@pytest.mark.parametrize("name", ["words", "sound"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_and_asks_for_nothing(browser, folder: Path, name: str, width: int) -> None:
    opened(browser, folder / f"{name}.html", width)
    for kind in ("encoder", "decoder", "cross"):
        choose(browser, "kind", kind)
        for head in ("All", "Mean", "2"):
            choose(browser, "head", head)
            assert browser.run("document.documentElement.scrollWidth") <= width
            assert browser.run("drawn.length") == (3 if head == "All" else 1)
    assert set(browser.requests()) <= {(folder / f"{page}.html").as_uri() for page in ("words", "sound")}
    assert browser.complaints() == []


def test_controls_have_names_and_are_large_enough_to_tap(browser, folder: Path) -> None:
    opened(browser, folder / "words.html", 360)
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    radios = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") == "radio"]
    assert radios == ["Encoder", "Decoder", "Cross", "1", "2", "All", "Mean", "1", "2", "3"]
    pictures = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") in ("image", "img")]
    assert pictures[0] == (
        "Encoder, layer 1, Head 1: 4 × 4 weights, the largest 0.25. Arrow keys go from cell to cell."
    )
    heights = browser.run("[...document.querySelectorAll('.pick input')].map(e => e.getBoundingClientRect().height)")
    assert min(heights) >= 36


def centre(browser: chromium.Browser, row: int, column: int) -> list[float]:
    """Of a cell of the first view."""
    place: list[float] = browser.run(
        "(({canvas, box, map}, b) => "
        f"[b.left + box.left + {column + 0.5} * box.across / map.size[1], "
        f"b.top + box.top + {row + 0.5} * box.down / map.size[0]])(drawn[0], drawn[0].canvas.getBoundingClientRect())"
    )
    return place


def test_pointer_and_tap_read_a_cell(browser, folder: Path) -> None:
    opened(browser, folder / "words.html")
    choose(browser, "kind", "cross")
    x, y = centre(browser, 0, 0)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert told(browser) == "Head 1: K → c: 1.00"
    x, y = centre(browser, 1, 2)
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert told(browser) == "Head 1: <end> → <b>: 0.00"
    choose(browser, "layer", "1")
    opened(browser, folder / "sound.html")
    choose(browser, "kind", "cross")
    x, y = centre(browser, 0, 0)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert told(browser) == "Head 1: K → 0.00–0.08 s: 1.00"  # two steps are one


def test_arrow_keys_go_from_cell_to_cell_and_stay_inside(browser, folder: Path) -> None:
    opened(browser, folder / "words.html")
    choose(browser, "kind", "decoder")
    browser.run("drawn[1].canvas.focus()")
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft"):
        browser.press(key)
        seen.append(told(browser))
    assert seen == [
        f"Head 2: {cell}"
        for cell in (
            "K → <begin>: 1.00", "K → K: 0.00", "K → K: 0.00", "<end> → K: 0.50", "<end> → <begin>: 0.50",
            "<end> → <begin>: 0.50",
        )
    ]  # fmt: skip


def test_a_cell_has_the_colour_of_its_weight(browser, folder: Path) -> None:
    opened(browser, folder / "words.html")
    choose(browser, "kind", "cross")
    colours = [
        browser.run(
            "(({context, box, map}) => "
            f"[...context.getImageData(box.left + {column + 0.2} * box.across / map.size[1], "
            "box.top + 0.2 * box.down / map.size[0], 1, 1).data])(drawn[0])"
        )
        for column in (0, 1)
    ]
    first, last = (browser.run(f"palette.at({place})") for place in (0, -1))
    assert colours == [[*last, 255], [*first, 255]]


def test_the_mean_is_that_of_all_heads(browser, folder: Path) -> None:
    opened(browser, folder / "words.html")
    assert browser.run("weights(data.maps[0], 'Mean').most") == pytest.approx(0.25, abs=1e-3)
    assert browser.run("weights(data.maps[3], 'Mean').most") == pytest.approx(1, abs=1e-3)
