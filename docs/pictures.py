"""Draw the pictures of pages in docs/images: python docs/pictures.py

Each page is made by unbraid from the example recordings, with a model of the package, and seen in Chromium, which has
to be installed: `report.webp` (`separate --report`), `evaluation.webp` (`evaluate`), `attention.webp` (`attention`).
"""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, IMAGES = ROOT / "examples", ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402  # Chromium over pipes, as the tests of the pages use it

QUALITY = 82  # of WebP
MIXTURES = 6  # of the evaluation
WIDTH = 1200  # pixels


def main() -> None:
    """Draw all of them."""
    if (program := browser.find()) is None:
        sys.exit(f"The pages are drawn by a browser: install one of {', '.join(browser.NAMES)}.")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        unbraid("separate", EXAMPLES / "song.flac", "-m", "music-4", "--report", "-o", work)
        corpus(work / "corpus")
        unbraid("evaluate", "speech-2", work / "corpus", "--layout", "librimix", "-o", work / "evaluation")
        unbraid("attention", "g2p", "separation", "-o", work / "attention.html")
        pages = {
            "report": (work / "song" / "report.html", 1060, ""),
            "evaluation": (work / "evaluation" / "report.html", 1000, ""),
            "attention": (work / "attention.html", 500, "Cross"),
        }
        for picture, (page, height, pressed) in pages.items():
            with browser.Browser(program, work / f"profile-{picture}", WIDTH, height) as window:
                see(window, page, height, pressed, IMAGES / f"{picture}.webp")


def unbraid(*words: object) -> None:
    """Run a command, without its output."""
    subprocess.run([sys.executable, "-m", "unbraid", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def corpus(folder: Path) -> None:
    """Mixtures of the two readers in the layout of LibriMix: the second begins later, and softer, in each."""
    (first, rate), (second, _) = (soundfile.read(EXAMPLES / f"voices_ref{k}.flac") for k in (1, 2))
    for place in ("mix_clean", "s1", "s2"):
        (folder / "wav8k" / "min" / "test" / place).mkdir(parents=True)
    for number in range(MIXTURES):
        voices = first, 10 ** (-number / 20) * np.roll(second, number * rate // 2)
        for place, samples in zip(("s1", "s2", "mix_clean"), (*voices, sum(voices)), strict=True):
            soundfile.write(folder / "wav8k" / "min" / "test" / place / f"mixture-{number + 1}.wav", samples, rate)


def see(window: browser.Browser, page: Path, height: int, pressed: str, picture: Path) -> None:
    """The upper part of a page as a picture, after the button of that name was pressed."""
    window.call("Emulation.setScrollbarsHidden", hidden=True)
    window.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)
    window.open(page)
    if pressed:
        window.run(
            f"[...document.querySelectorAll('button, label')].find(it => it.textContent.trim() === {pressed!r}).click()"
        )
    shown = window.call("Page.captureScreenshot", format="webp", quality=QUALITY)
    picture.write_bytes(base64.b64decode(shown["data"]))
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
