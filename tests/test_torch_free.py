"""Where torch and onnx cannot be imported, everything on the run side works; and importing the package is light."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from engine_fakes import noise
from source_tree import FILES, ROOT, name_of
from test_layers import is_behind

WALL = """
import sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx", "torchaudio", "tensorflow"):
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Wall())
"""


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    env = os.environ | {"PYTHONPATH": str(ROOT.parent)} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded(names: str) -> str:
    """Code that prints which of some packages are loaded by now."""
    return f"\nimport sys; print(sorted({{name.split('.')[0] for name in sys.modules}} & {set(names.split())}))"


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert (
        python("import unbraid; unbraid.__all__" + loaded("numpy onnxruntime torch onnx soundfile av soxr")) == "[]\n"
    )


def test_a_separator_loads_its_engine_only_when_it_opens_a_model() -> None:
    code = "import unbraid; unbraid.Separator, unbraid.separate" + loaded(
        "onnxruntime torch onnx soundfile av typer rich"
    )
    assert python(code) == "[]\n"


def test_every_module_of_the_run_side_can_be_imported_without_torch() -> None:
    modules = [
        ".".join(("unbraid", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for path in FILES
        if not is_behind(name_of(path)) and path.stem != "__main__"
    ]
    assert len(modules) > 40
    code = f"import importlib\nfor name in {modules}:\n    importlib.import_module(name)\nprint('torch' in sys.modules)"
    assert python(WALL + code) == "False\n"


def test_the_networks_say_that_they_need_torch() -> None:
    absent = "import sys\nsys.modules['torch'] = None\n"
    code = (
        absent + "try:\n    from unbraid.models import AudioTransformer\nexcept ImportError as error:\n    print(error)"
    )
    said = "unbraid.models needs torch, which is not installed; get it with `pip install 'unbraid[train]'`.\n"
    assert python(code) == said


def test_a_file_is_separated_without_torch(speech_folder: Path, music_folder: Path, tmp_path: Path) -> None:
    x = noise(2, 6000)
    soundfile.write(tmp_path / "mix.wav", x.T, 16000, subtype="FLOAT")
    code = f"""
import numpy as np, unbraid
for model in ({str(speech_folder)!r}, {str(music_folder)!r}):
    stems = unbraid.separate({str(tmp_path / "mix.wav")!r}, model)
    np.save({str(tmp_path / "sum.npy")!r}, sum(stems.values()))
    print(sorted(stems), "torch" in sys.modules, "onnx" in sys.modules)
"""
    assert python(WALL + code) == "['voice1', 'voice2'] False False\n['drums', 'vocals'] False False\n"
    np.testing.assert_allclose(np.load(tmp_path / "sum.npy"), x, atol=1e-6)


def test_packaged_speech_models_run_in_int8_without_onnx(tmp_path: Path) -> None:
    code = f"""
import os
os.environ["UNBRAID_CACHE"] = {str(tmp_path)!r}
import numpy as np, unbraid
from unbraid.hub.names import entries
for entry in entries():
    if entry.where == "packaged" and entry.family == "sepformer":
        print(entry.name, len(unbraid.Separator(entry.name, precision="int8")(np.ones((1, 999)), 8000)))
"""
    assert python(WALL + code) == "speech-2 2\n"


def test_the_int8_copy_of_a_published_network_needs_no_onnx(tmp_path: Path) -> None:
    """Its graph ships with the package, and its weights are made in NumPy."""
    code = """
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.hub.graphs import find_graph
print(len(find_graph(SepFormerConfig(), "int8")) > 100_000)
"""
    assert python(WALL + code) == "True\n"
