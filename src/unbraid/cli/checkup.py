"""The checks of `unbraid doctor`: versions, devices, codecs, models, folders.

Each check is a function that returns its findings, line by line, and adds to the problems. An exception in a check is
a problem itself, and does not end the checkup.
"""

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unbraid import __version__
from unbraid.errors import DownloadError, UnbraidError, current_folder_gone
from unbraid.files.workdir import temporary_folder
from unbraid.hub import names as hub
from unbraid.hub.cache import cache_folder
from unbraid.hub.catalogue import catalogue
from unbraid.hub.defaults import DEFAULTS, LIVE, MUSIC, PITCHED
from unbraid.hub.proxies import certificates, check_proxies
from unbraid.runtime import builds

Findings = dict[str, str]
ENVIRONMENT = (
    "UNBRAID_CACHE",
    "UNBRAID_DATA",
    "UNBRAID_OFFLINE",
    "UNBRAID_SPLEETER_URL",
    "UNBRAID_DEMUCS_URL",
    "UNBRAID_DEBUG",
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "TMPDIR",
    "OMP_NUM_THREADS",
)
LITTLE_BYTES = 500_000_000  # of free disk: a song's stems may need more
_REQUIRED = (
    *("numpy", "soundfile", "soxr", "av", "typer", "rich", "safetensors", "pyyaml"),
    *("huggingface_hub", "httpx2", "filelock", "google-crc32c"),
)
COMMANDS = {  # and the models that they use where none is named
    "separate": (DEFAULTS["separation"], MUSIC, DEFAULTS["speaker embedding"]),
    "diarize": (DEFAULTS["separation"], DEFAULTS["speaker embedding"]),
    "enhance": (DEFAULTS["enhancement"],),
    "live": (LIVE,),
    "transcribe": (DEFAULTS["transcription"],),
    "align": (DEFAULTS["transcription"], MUSIC),
    "analyse": (MUSIC,),
    "melody": (PITCHED,),
    "singers": (MUSIC, DEFAULTS["speaker embedding"]),
    "notes": (DEFAULTS["notes"], PITCHED),
    "phonemize": (DEFAULTS["phonemes"],),
    "synthesize": (DEFAULTS["acoustic model"], DEFAULTS["phonemes"]),
    "convert": (DEFAULTS["voice conversion"], DEFAULTS["vocoder"]),
}
_RATE = 48000  # Hz; every format can hold it


@dataclass
class Checkup:
    """All findings and problems."""

    sections: dict[str, Findings] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # that no installation has by itself


def check_all() -> Checkup:
    """Run all checks."""
    checkup = Checkup()
    checks: dict[str, Callable[[list[str]], Findings]] = {
        "versions": versions,
        "devices": devices,
        "codecs": codecs,
        "models": models,
        "defaults": lambda problems: defaults(problems, checkup.missing),
        "folders": folders,
        "environment": environment,
    }
    for name, check in checks.items():
        checkup.sections[name] = {}
        try:
            checkup.sections[name] = check(checkup.problems)
        except UnbraidError as error:
            checkup.problems.append(str(error))
        except Exception as error:
            checkup.problems.append(f"the {name} cannot be checked: {type(error).__name__}: {error}")
    return checkup


def versions(problems: list[str]) -> Findings:
    """Versions of Python, of unbraid and of its dependencies."""
    found = {"python": platform.python_version(), "system": platform.platform(), "unbraid": __version__}
    for package in _REQUIRED:
        if version := _version(package):
            found[package] = version
        else:
            problems.append(f"{package} is not installed; reinstall unbraid.")
    found |= builds.installed_builds()
    if wrong := builds.what_is_wrong():
        problems.append(wrong)
    found |= {package: version for package in ("torch", "fastapi") if (version := _version(package))}  # of extras
    return found | _libraries(problems)


def devices(problems: list[str]) -> Findings:
    """The devices that a model can run on, and the one that is chosen."""
    import onnxruntime

    from unbraid.runtime.ort import available_threads, choose_device

    providers = onnxruntime.get_available_providers()
    _, name, reason = choose_device("auto")
    return {"providers": ", ".join(providers), "chosen": f"{name} ({reason})", "threads": str(available_threads())}


def codecs(problems: list[str]) -> Findings:
    """Each output format, written and read back."""
    from unbraid.audio.formats import LIMITS

    found = {}
    for name in LIMITS:
        try:
            _round_trip(name)
            found[name] = "reads and writes"
        except Exception as error:
            found[name] = "broken"
            problems.append(f"{name} cannot be written and read back ({error}); reinstall soundfile and av.")
    return found


def models(problems: list[str]) -> Findings:
    """Every model on this machine, its bytes compared with its hashes."""
    from unbraid.hub.folder import open_model_folder

    found = {}
    here = {entry.name: entry.folder for entry in hub.entries() if entry.folder}
    for name, folder in here.items():
        try:
            open_model_folder(folder)
            found[name] = f"verified, {folder}"
        except UnbraidError as error:
            found[name] = f"damaged, {folder}"
            problems.append(f"model {name}: {error}")
    problems.extend(f"{name} should be inside the package; reinstall unbraid." for name in catalogue().packaged
                    if name not in here)  # fmt: skip
    problems.extend(f"model folder {folder}: {reason}" for folder, reason in hub.damaged().items())
    return found


def defaults(problems: list[str], missing: list[str]) -> Findings:
    """The model of each command where none is named."""
    found = {}
    for command, names in COMMANDS.items():
        absent = [name for name in names if not any(entry.name == name and entry.folder for entry in hub.entries())]
        found[command] = ", ".join(f"{name} (not here)" if name in absent else name for name in names)
        if published := [name for name in absent if name in catalogue().published]:
            missing.append(f"`unbraid {command}` needs a model: get it with `unbraid models pull {published[0]}`.")
        elif absent and not set(absent) <= set(catalogue().packaged):  # else `models` has told it
            missing.append(
                f"`unbraid {command}` has no voice of its own: train one with `unbraid train`, and name it with -m."
            )
    return found


def folders(problems: list[str]) -> Findings:
    """The folders in use, and free space."""
    if gone := current_folder_gone():
        problems.append(gone)
        return {}
    cache = cache_folder()
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) if os.path.isdir(cache) else 0
    found = {"cache": f"{cache}, {size / 1e6:.1f} MB"}
    if os.path.lexists(cache) and not os.path.isdir(cache):
        problems.append(f"the cache {cache} is not a folder; remove it, or set UNBRAID_CACHE to another place.")
    if (chosen := os.environ.get("TMPDIR")) and not os.path.isdir(chosen):
        problems.append(f"TMPDIR names {chosen}, which is not a folder; {tempfile.gettempdir()} is used instead.")
    for what, folder in {"cache": cache, "temporary": Path(tempfile.gettempdir()), "current": Path.cwd()}.items():
        there = next(parent for parent in (folder, *folder.absolute().parents) if os.path.isdir(parent))
        free = shutil.disk_usage(there).free
        found[f"{what} disk"] = f"{free / 1e9:.1f} GB free, {folder}"
        if free < LITTLE_BYTES:
            problems.append(f"the disk of the {what} folder {folder} has only {free / 1e6:.0f} MB free.")
        if what != "current" and not os.access(there, os.W_OK):
            problems.append(f"the {what} folder {folder} may not be written to; grant permission, or choose another.")
    return found


def environment(problems: list[str]) -> Findings:
    """The environment variables that are set; those that prevent downloads are problems."""
    for check in (check_proxies, certificates):
        try:
            check()
        except DownloadError as error:
            problems.append(str(error))
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def _round_trip(name: str) -> None:
    """Write a tone and read it back: the same length, and much the same sound."""
    from unbraid.audio import choose_format, read, write

    time = np.arange(_RATE // 5) / _RATE
    tone = (0.5 * np.sin(2 * np.pi * np.array([[440.0], [660.0]]) * time)).astype(np.float32)  # (C, T)
    with temporary_folder() as folder:
        path = folder / f"tone.{name}"
        write(path, tone, _RATE, choose_format(name))
        back, rate = read(path)
    if rate != _RATE or back.shape != tone.shape:
        raise UnbraidError(f"{tone.shape} at {_RATE} Hz came back as {back.shape} at {rate} Hz")
    if np.corrcoef(tone.ravel(), back.ravel())[0, 1] < 0.95:
        raise UnbraidError("the sound came back changed")


def _libraries(problems: list[str]) -> Findings:
    """The C libraries inside the packages."""
    found = {}
    try:
        import soundfile

        found["libsndfile"] = soundfile.__libsndfile_version__
    except (ImportError, OSError) as error:
        problems.append(f"soundfile cannot be loaded ({error}); reinstall it.")
    try:
        import av

        found["FFmpeg"] = ", ".join(f"{name} {'.'.join(map(str, v))}" for name, v in av.library_versions.items())
    except (ImportError, OSError) as error:
        problems.append(f"av cannot be loaded ({error}); reinstall it.")
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
