"""Work that needs no model: the name of a file says what becomes of it, in a real worker process."""

import os
import signal
import time
from pathlib import Path

from unbraid.batch.items import Item
from unbraid.batch.outcome import Outcome
from unbraid.batch.settings import Settings


class FakeWork:
    """As much of `Work` as a worker uses; OUTPUT has a line for each attempt."""

    def __init__(self, settings: Settings) -> None:
        self._log = Path(settings.output) / "attempts"

    def do(self, item: Item) -> Outcome:
        with self._log.open("a") as log:
            log.write(f"{item.name}\n")
        attempt = self._log.read_text().split().count(item.name)
        if "crash" in item.name or ("twice" in item.name and attempt < 3):
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in item.name:
            time.sleep(600)
        done = Outcome(item.address, item.name, "done", input_version=item.version, audio_seconds=1.0)
        kinds = {"network": "network", "bad": "audio", "full": "disk"}
        for word, kind in kinds.items():
            if word in item.name and (word != "network" or attempt == 1):
                return Outcome(item.address, item.name, "failed", error_kind=kind, error=f"of {word}.")  # type: ignore[arg-type]
        return done


def fake_work(settings: Settings) -> FakeWork:
    return FakeWork(settings)


def item(name: str, size: int | None = 1000, version: str = "1") -> Item:
    return Item(f"/raw/{name}.wav", name, size, version)
