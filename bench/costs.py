"""What a second of audio costs each separation model, for `unbraid models recommend` -> src/unbraid/assets/costs.json.

    python bench/costs.py [NAME …]

Run with a Python in which unbraid is installed. Published networks have their published sizes and random weights: time
and memory do not depend on weights. Each model has a process of its own; the least of several runs over one window
counts, after one that does not. CPU seconds on this machine mean something only beside each other, which is how they
are used.
"""

import datetime
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from synth import voices

RESULT = Path(__file__).resolve().parent.parent / "src" / "unbraid" / "assets" / "costs.json"
PACKAGED = ("speech", "speech-2", "music-2", "music-4", "music-5")
RESEPFORMER = "speechbrain/resepformer-wsj02mix"
VOICES = {"wsj02mix": (2, 8000), "wsj03mix": (3, 8000), "libri2mix": (2, 8000), "libri3mix": (3, 8000),
          "wham": (2, 8000), "whamr": (2, 8000), "whamr16k": (2, 16000)}  # fmt: skip
MEASURED_FOR = {"libri2mix": "wsj02mix", "libri3mix": "wsj03mix", "wham": "wsj02mix", "whamr": "wsj02mix"}
TIGERS = {"JusperLee/TIGER-speech": "voices", "JusperLee/TIGER-DnR": "films"}
DEMUCS = {"htdemucs": "4 stems", "htdemucs_ft": "4 stems, a network for each", "htdemucs_6s": "6 stems"}
MOSSFORMER = "alibabasglab/MossFormer2_SS_16K"
RUNS = 4  # of which the last three are timed


def main() -> None:
    """Measure the models that are named, or all, and add them to the table."""
    table = json.loads(RESULT.read_text()) if RESULT.exists() else {"measured": "", "models": {}}
    spleeter = [f"spleeter:{stems}stems{wide}" for stems in (2, 4, 5) for wide in ("", "-16kHz")]
    sepformers = [f"speechbrain/sepformer-{name}" for name in VOICES if name not in MEASURED_FOR]
    for name in sys.argv[1:] or (*PACKAGED, *spleeter, *sepformers, MOSSFORMER, RESEPFORMER, *DEMUCS, *TIGERS):
        with tempfile.TemporaryDirectory() as folder:
            model = name if name in PACKAGED else published(name, Path(folder))
            command = (sys.executable, __file__, "--one", str(model))
            child = subprocess.run(command, check=True, capture_output=True, text=True)
        table["models"][name] = json.loads(child.stdout)
        print(name, table["models"][name], flush=True)
    for name, same in MEASURED_FOR.items():  # networks of the same sizes
        if cost := table["models"].get(f"speechbrain/sepformer-{same}"):
            table["models"][f"speechbrain/sepformer-{name}"] = cost
    table["measured"] = datetime.date.today().isoformat()
    RESULT.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def one(model: str) -> dict[str, float]:
    """CPU seconds for each second of audio, and the peak memory of the process in MB."""
    from unbraid import Separator
    from unbraid.files.peak_memory import peak_memory
    from unbraid.tasks.separation.cost import one_window

    with Separator(model) as separator:
        spec, (samples, window) = separator.spec, one_window(separator.spec)
        audio = np.repeat(voices(window, spec.sample_rate)[None, :samples], spec.channels, axis=0)
        spent = []
        for _ in range(RUNS):
            before = time.process_time()
            separator(audio, spec.sample_rate)
            spent.append(time.process_time() - before)
    return {"cpu_seconds": round(min(spent[1:]) / window, 4), "megabytes": round((peak_memory() or 0) / 2**20)}


def published(name: str, folder: Path) -> Path:
    """A model of published sizes with random weights."""
    from unbraid.hub.folder import write_model_folder
    from unbraid.hub.importers.clearvoice import SAMPLE_RATE, WINDOWS
    from unbraid.hub.importers.spleeter_config import shipped_config
    from unbraid.hub.importers.tiger import FILM_WINDOWS, VOICE_WINDOWS
    from unbraid.hub.spec import ModelSpec, Windows
    from unbraid.models.family import tensor_shapes
    from unbraid.models.htdemucs.published import PUBLISHED
    from unbraid.models.mossformer2.config import MossFormer2Config
    from unbraid.models.resepformer.config import ResepformerConfig
    from unbraid.models.sepformer.config import SepFormerConfig
    from unbraid.models.tiger.published import PUBLISHED as TIGER_SIZES

    if name.startswith("spleeter:"):
        config = shipped_config(int(name[9]), 1536 if name.endswith("16kHz") else 1024)
        facts = ("random", "unet", config.sample_rate, 2, config.stems, config.geometry, "", "random weights")
        spec = ModelSpec(*facts, spectral=config.spectral)
    elif name in DEMUCS:
        sizes, rate = PUBLISHED[DEMUCS[name]], 44100
        stems = ("drums", "bass", "other", "vocals", "guitar", "piano")[: sizes.stems]
        segment = sizes.segment_samples / rate
        facts = ("random", "htdemucs", rate, 2, stems, sizes, "", "random weights")
        spec = ModelSpec(*facts, windows=Windows(segment, segment / 4), level="own")
    elif name == MOSSFORMER:
        stems = ("voice1", "voice2")
        facts = ("random", "mossformer2", SAMPLE_RATE, 1, stems, MossFormer2Config(), "", "random weights")
        spec = ModelSpec(*facts, windows=WINDOWS)
    elif name in TIGERS:
        of_films, config = TIGERS[name] == "films", TIGER_SIZES[TIGERS[name]]
        stems = ("dialogue", "music", "effects") if of_films else ("voice1", "voice2")
        facts = ("random", "tiger", 44100 if of_films else 16000, 1, stems, config, "", "random weights")
        spec = ModelSpec(*facts, windows=FILM_WINDOWS if of_films else VOICE_WINDOWS, level="own")
    elif name == RESEPFORMER:
        facts = ("random", "resepformer", 8000, 1, ("voice1", "voice2"), ResepformerConfig(), "", "random weights")
        spec = ModelSpec(*facts, windows=Windows())
    else:
        count, rate = VOICES[name.rpartition("sepformer-")[2]]
        stems = tuple(f"voice{i + 1}" for i in range(count))
        facts = ("random", "sepformer", rate, 1, stems, SepFormerConfig(sources=count), "", "random weights")
        spec = ModelSpec(*facts, windows=Windows())
    random = np.random.default_rng(0)
    tensors = {}
    for key, shape in tensor_shapes(spec.geometry).items():
        tensors[key] = random.normal(0, 1 / math.sqrt(max(1, np.prod(shape[1:]))), shape).astype(np.float32)
        if key.endswith("running_var") or ("norm" in key and key.endswith("weight")):
            tensors[key] = 1 + 0.2 * np.abs(tensors[key])
    write_model_folder(folder / "model", spec, tensors, "float32")
    return folder / "model"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        main()
