"""Reads files in another process, one after the other, and says of each what came of it, how long it took and how much
memory: hostile files must not hurt the tests that try them.

python measured_reading.py FOLDER      # of folders NAME with a file `reader`; prints a line of JSON for each
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MOST_SECONDS = 2.0  # of processor time
MOST_MB = 300  # above the idle process
ADDRESS_SPACE = 8 << 30


@dataclass(frozen=True)
class Outcome:
    """What came of a file."""

    told: str  # the error's class and message, or "read"
    seconds: float
    more_mb: int


def read_all(folder: Path) -> dict[str, Outcome]:
    """What comes of each case of a folder; those behind one that ends the process are missing."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-B", __file__, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return {name: Outcome(*rest) for name, *rest in lines}


def main(folder: Path) -> None:
    from unbraid.corpora.manifest import find_speakers
    from unbraid.corpora.metadata import read_stems
    from unbraid.corpora.pronunciations import find_pronunciations
    from unbraid.errors import UnbraidError
    from unbraid.files.record import claims
    from unbraid.hub.importers.ctc_vocabulary import read_symbols
    from unbraid.hub.importers.hyperyaml import read_settings
    from unbraid.hub.importers.spleeter_config import read_config
    from unbraid.hub.importers.tf_bundle import read_index, read_tensors
    from unbraid.hub.importers.torch_pickle import read_state_dict
    from unbraid.hub.spec import read_spec
    from unbraid.models.tensors import read_weights

    def bundle(place: Path) -> None:
        index = read_index(place / "model.index")
        read_tensors(index, index.entries)

    def settings(place: Path) -> None:
        found = read_settings(place / "hyperparams.yaml")
        for key in ("sample_rate", "norm"):
            found.positive(key)

    readers = {
        "torch": lambda place: read_state_dict(place / "part.ckpt"),
        "tensorflow": bundle,
        "safetensors": lambda place: read_weights(place / "model.safetensors"),
        "settings": settings,
        "metadata": lambda place: read_stems(place / "metadata.yaml"),
        "manifest": lambda place: find_speakers(place, "train"),
        "dictionary": lambda place: find_pronunciations(place, "train"),
        "vocabulary": lambda place: read_symbols(place, 7, None),
        "spleeter": lambda place: read_config(place / "config.json"),
        "spec": read_spec,
        "record": lambda place: claims(place / ".unbraid.json"),
    }
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for place in sorted(folder.iterdir()):
        idle, start = _peak_mb(), time.process_time()
        try:
            readers[(place / "reader").read_text()](place)
            told = "read"
        except UnbraidError as error:
            told = f"{type(error).__name__}: {error}"
        except BaseException as error:
            told = f"ESCAPED {type(error).__name__}: {str(error)[:200]}"
        print(json.dumps([place.name, told, time.process_time() - start, _peak_mb() - idle]), flush=True)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
