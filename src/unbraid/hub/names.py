"""Models by name: find one on this machine, list them, fetch a published one, import or remove one.

Nothing is downloaded unless `pull` is called. A model appears in the cache (see `cache`) only after every
byte of its download was verified (see `download`).
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unbraid.errors import DownloadError, ModelError, ModelNotFound, SpecError, UsageError
from unbraid.files.atomic import appearing
from unbraid.hub import cache as store
from unbraid.hub.catalogue import ASSETS, Published, catalogue, check_import_name, folder_name, nearest, terms_of
from unbraid.hub.download import Progress, disk_errors
from unbraid.hub.licences import Use
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.models.family import FAMILIES

if TYPE_CHECKING:
    from unbraid.hub.importers import Checkpoint

PACKAGED = ASSETS / "models"
Place = Literal["packaged", "cached", "published"]
_TRUE = {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class ListedModel:
    """One line of `unbraid models`."""

    name: str
    where: Place
    family: str
    licence: str
    bytes: int  # on disk; of a published model approximately
    stems: tuple[str, ...]
    sample_rate: int  # Hz
    scores: dict[str, float]
    folder: Path | None = None  # None: not on this machine
    writes: str = "text"  # stems, text, spectrogram, waveform or embedding
    latency_seconds: float | None = None  # of a causal model
    data: str = ""  # that it was trained on
    use: Use = "unclear"


def resolve(name: str | os.PathLike[str]) -> Path:
    """The folder of a model: packaged, then pulled or imported, then a folder at that path.

    A model of an earlier release that was replaced stands for the one in its place.

    Raises:
        UsageError: this is neither a name nor a path.
        ModelNotFound: there is none; the message says how to get a published one, or which names are similar.
    """
    if not isinstance(name, str | os.PathLike):
        raise UsageError(f"A model is a name that `unbraid models` lists, or the path of a folder, not {name!r}.")
    if not isinstance(name, str):
        return _model_folder(Path(name))
    name = catalogue().replaced.get(name, name)
    if folder := _present(name):
        return folder
    if name in catalogue().published:
        raise ModelNotFound(f"{name} is published, but not on this machine; get it with `unbraid models pull {name}`.")
    if name in catalogue().packaged:
        raise ModelNotFound(f"{name} should be inside the package, but is not; reinstall unbraid.")
    path = Path(name).expanduser()
    if name and path.exists():
        return _model_folder(path)
    raise _unknown(name)


def entries() -> list[ListedModel]:
    """Every model: packaged, cached, or published and not on this machine. Damaged folders are left out."""
    here: dict[str, ListedModel] = {}
    places: dict[Place, list[Path]] = {"packaged": store.model_folders(PACKAGED), "cached": store.cached_models()}
    for where, folders in places.items():
        for folder in folders:
            with suppress(SpecError):
                spec = read_spec(folder)
                size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
                here[spec.name] = _entry(spec, where, size, spec.geometry.writes, folder)
    absent = (entry for name, entry in catalogue().published.items() if name not in here)
    return [*here.values(), *(_entry(entry, "published", entry.bytes, _writes(entry)) for entry in absent)]


def damaged() -> dict[Path, str]:
    """Folders in the cache that cannot be read as models, and why."""
    reasons = {}
    for folder in store.cached_models():
        try:
            read_spec(folder)
        except SpecError as error:
            reasons[folder] = str(error)
    return reasons


def models_with_stem(stem: str) -> list[str]:
    """Names of the models that have this stem, those on this machine first."""
    return [entry.name for entry in entries() if stem in entry.stems]


def is_offline(offline: bool | None = None) -> bool:
    """Whether downloads are forbidden: by the argument, or, when it is None, by the environment."""
    variables = ("UNBRAID_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(v, "").lower() in _TRUE for v in variables) if offline is None else offline


def pull(name: str, *, progress: Progress | None = None, offline: bool | None = None) -> Path:
    """The folder of a published model, downloaded unless it, or another of the same archive, is here already.

    Args:
        name: of the model.
        progress: called with bytes so far and bytes in all (None: unknown); what it raises stops the download, and
            the next call goes on from there.
        offline: forbid (True) or allow (False) downloads; None asks UNBRAID_OFFLINE and HF_HUB_OFFLINE.

    Raises:
        ModelNotFound: nothing of that name is published.
        DownloadError: it cannot be fetched, or downloads are forbidden.
        ChecksumError: what came is not what was published.
        ModelError: the checkpoint cannot be turned into a model folder.
    """
    entry = catalogue().published.get(name)
    if folder := _present(name):
        store.tidy(store.models_folder())
        store.forget_staging(folder_name((entry and entry.archive) or name))
        return folder
    if entry is None:
        raise _unknown(name)
    destination = store.models_folder() / folder_name(name)
    if _made_of_twin(entry, destination):
        return destination
    if is_offline(offline):
        raise DownloadError(
            f"{name} is not on this machine, and downloads are forbidden; leave out --offline and unset "
            "UNBRAID_OFFLINE and HF_HUB_OFFLINE to pull it."
        )
    with store.staging(folder_name(entry.archive or entry.name)) as staging:
        if folder := _present(name):  # pulled by another process while we waited for the lock
            return folder
        _pull(entry, staging, destination, progress)
    return destination


def import_model(source: Path, name: str, *, overwrite: bool = False) -> Path:
    """Turn a published-form checkpoint on this disk into a model of that name; returns its folder.

    Raises:
        UsageError: the name is taken, or not a valid one.
        ModelNotFound: there is no such folder.
        ModelError: its content is not a checkpoint that can be read.
    """
    check_import_name(name)
    destination = store.models_folder() / folder_name(name)
    if destination.exists() and not overwrite:
        raise UsageError(f"There is a model called {name!r} already; choose another name, or use --overwrite.")
    if not source.is_dir():
        raise ModelNotFound(f"{source} is not a folder; give the folder that holds the checkpoint's files.")
    if (source / "spec.json").exists():
        raise ModelError(f"{source} is a model folder already; use it by its path, there is nothing to import.")
    checkpoint = _read_checkpoint(source, name)
    _install(destination, checkpoint)
    return destination


def remove(name: str) -> None:
    """Delete a pulled or imported model, and the int8 copies of its weights unless another model has the same.

    Raises:
        UsageError: it is part of the package.
        ModelNotFound: it is not in the cache.
        ModelError: it cannot be deleted.
    """
    if name in catalogue().packaged:
        raise UsageError(f"{name} is part of the package and cannot be removed.")
    folder = store.models_folder() / folder_name(name)
    store.tidy(folder.parent)
    if not _plain(name) or not folder.is_dir():
        raise ModelNotFound(f"{name} is not in the cache, so there is nothing to remove.")
    store.forget_copies(folder, store.model_folders(PACKAGED))
    try:
        store.discard(folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be removed ({error.strerror or error}); is it in use?") from None


def _pull(entry: Published, staging: Path, destination: Path, progress: Progress | None) -> None:
    """Fetch, convert, install; what was fetched stays for the next attempt unless it cannot be converted."""
    from unbraid.hub.publishers import fetch_published

    fetched = fetch_published(entry, staging, progress)
    try:
        checkpoint = _read_checkpoint(fetched.folder, entry.name)
        spec = _as_published(checkpoint.spec, entry, fetched.provenance)
        _install(destination, replace(checkpoint, spec=spec))
    except DownloadError:  # the disk refuses
        raise
    except ModelError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(staging, ignore_errors=True)


def _made_of_twin(entry: Published, destination: Path) -> bool:
    """Make a model of another one here that comes from the same archive: spleeter:4stems-16kHz of spleeter:4stems."""
    from unbraid.hub.folder import open_model_folder
    from unbraid.hub.importers import Checkpoint
    from unbraid.models.tensors import open_weights, types_of

    twins = [p.name for p in catalogue().published.values() if p.archive and p.archive == entry.archive]
    for folder in filter(None, (_present(name) for name in twins)):
        with suppress(ModelError):  # a damaged one is no source; then the archive is
            spec = open_model_folder(folder)
            tensors = open_weights(folder / "model.safetensors")
            dtype = next(iter(types_of(tensors).values()))[0]
            _install(destination, Checkpoint(tensors, _as_published(spec, entry, spec.provenance), dtype=dtype))
            return True
    return False


def _as_published(spec: ModelSpec, entry: Published, provenance: str) -> ModelSpec:
    """The checkpoint's own spec, completed by the catalogue."""
    spectral = replace(spec.spectral, bins=entry.bins) if spec.spectral and entry.bins else spec.spectral
    facts = replace(spec, spectral=spectral, scores=dict(entry.scores))
    return replace(facts, name=entry.name, licence=entry.licence, provenance=provenance)


def _is_checkpoint(folder: Path) -> bool:
    from unbraid.hub.importers import is_checkpoint

    return is_checkpoint(folder)


def _read_checkpoint(folder: Path, name: str) -> "Checkpoint":
    from unbraid.hub.importers import read_checkpoint

    return read_checkpoint(folder, name)


def _install(destination: Path, checkpoint: "Checkpoint") -> None:
    """Put a model into its place in the cache, in place of an older one, whose int8 copies go unless they fit."""
    from unbraid.hub.folder import write_model_folder

    with disk_errors(destination.parent):
        store.tidy(destination.parent)
        with appearing(destination) as fresh:
            write_model_folder(fresh, checkpoint.spec, checkpoint.tensors, checkpoint.dtype, checkpoint.files)
            if store.weights_of(fresh) != store.weights_of(destination):
                store.forget_copies(destination, store.model_folders(PACKAGED))


def _present(name: str) -> Path | None:
    """The folder of a packaged or cached model."""
    if not _plain(name):
        return None
    candidates = (parent / folder_name(name) for parent in (PACKAGED, *store.model_places()))
    return next((folder for folder in candidates if os.path.isfile(folder / "spec.json")), None)


def _plain(name: str) -> bool:
    """Whether this can be a model's name at all, rather than a path."""
    return name.isascii() and name[:1].isalnum() and "\\" not in name and ".." not in name


def _model_folder(path: Path) -> Path:
    if (path / "spec.json").is_file():
        return path
    if not path.exists():
        raise ModelNotFound(f"{path} does not exist; give a model folder, or a name that `unbraid models` lists.")
    if not path.is_dir():
        raise ModelNotFound(f"{path} is not a folder; give a model folder, or a name that `unbraid models` lists.")
    if _is_checkpoint(path):
        raise ModelNotFound(f"{path} is a published checkpoint; `unbraid models import {path} --to NAME` converts it.")
    raise ModelNotFound(f"{path} is not a model folder: it has no spec.json.")


def _unknown(name: str) -> ModelNotFound:
    known = dict.fromkeys([*catalogue().names(), *(entry.name for entry in entries())])
    alike = nearest(name, known)
    hint = f"did you mean {' or '.join(alike)}? " if alike else ""
    return ModelNotFound(f"No model or folder is called {name!r}; {hint}`unbraid models` lists them all.")


def _writes(entry: Published) -> str:
    """What a published model writes: the same for all sizes of its family."""
    if entry.writes is not None:
        return entry.writes
    if entry.family == "audio_transformer":  # its sides have no default; those that others publish are Whispers
        return "text"
    return FAMILIES[entry.family].config_type()().writes


def _entry(about: ModelSpec | Published, where: Place, size: int, writes: str, at: Path | None = None) -> ListedModel:
    facts = (about.name, where, about.family, about.licence, size, about.stems, about.sample_rate, about.scores)
    late, terms = about.latency_seconds if isinstance(about, ModelSpec) else None, terms_of(about.name, about.licence)
    return ListedModel(*facts, at, writes, late, terms.data, terms.use)
