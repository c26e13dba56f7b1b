"""Rendering of many songs in parallel processes; a song that fails does not stop the others."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

from unbraid.corpora.rendering.draw import draw_plan
from unbraid.corpora.rendering.midi import mido
from unbraid.corpora.rendering.plan import Rendering
from unbraid.corpora.rendering.programs import find_program
from unbraid.corpora.rendering.singing import world
from unbraid.corpora.rendering.song import is_there, render_song
from unbraid.corpora.rendering.stock import Stock
from unbraid.errors import RuntimeUnavailable, UnbraidError
from unbraid.files.workdir import swept


@dataclass(frozen=True)
class Outcome:
    """The outcome of rendering a song."""

    number: int
    parts: tuple[str, ...] = ()  # that sound
    seconds: float = 0.0
    skipped: bool = False  # it was there
    error: str | None = None
    troubles: tuple[str, ...] = ()  # with MIDI files that were passed over


def render_songs(
    stock: Stock, how: Rendering, place: Path, numbers: Sequence[int], workers: int = 1
) -> Iterator[Outcome]:
    """Render these songs into folders of `place`, in the order in which they are finished.

    Raises:
        RuntimeUnavailable: a program or package is missing.
    """
    mido()
    find_program("fluidsynth")
    if stock.singers and how.sung:
        world()
    place.mkdir(parents=True, exist_ok=True)
    with swept(place):
        if workers == 1:
            yield from (render_one(stock, how, place, number) for number in numbers)
        else:
            yield from _in_processes(stock, how, place, numbers, workers)


def _in_processes(stock: Stock, how: Rendering, place: Path, numbers: Sequence[int], workers: int) -> Iterator[Outcome]:
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        futures = [pool.submit(render_one, stock, how, place, number) for number in numbers]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def render_one(stock: Stock, how: Rendering, place: Path, number: int) -> Outcome:
    """Render a song, unless it is there."""
    try:
        plan, troubles = draw_plan(stock, how, number)
        if is_there(plan, place):
            return Outcome(number, seconds=plan.seconds, skipped=True, troubles=tuple(troubles))
        parts = render_song(plan, place, how.format)
        return Outcome(number, tuple(parts), plan.seconds, troubles=tuple(troubles))
    except RuntimeUnavailable:
        raise
    except UnbraidError as error:
        return Outcome(number, error=str(error))


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this, a pool's workers would wait for ever after their parent was killed."""
    if parent := parent_process():
        parent.join()
        os._exit(1)
