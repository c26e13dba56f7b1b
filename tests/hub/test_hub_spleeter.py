"""Pulling Spleeter's archives, and what holds for every pull: offline, at once, interrupted, refused."""

import dataclasses
import hashlib
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_helpers import (
    CHECKPOINT,
    SPLEETER,
    archive_of,
    left_in,
    publish_archive,
)
from hub_server import Fault, Publisher

from unbraid.errors import ChecksumError, DownloadError, ModelError, ModelNotFound
from unbraid.hub import names as hub
from unbraid.hub.folder import open_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import read_spec


def test_spleeter_becomes_a_model(spleeter: Publisher, converter: SimpleNamespace, cache: Path) -> None:
    folder = hub.pull(SPLEETER)
    assert folder == cache / "models" / "spleeter--2stems" == hub.resolve(SPLEETER)
    assert converter.files == CHECKPOINT  # no junk, no graph of TensorFlow's
    spec = read_spec(folder)
    assert (spec.name, spec.licence) == (SPLEETER, "MIT")
    assert spec.spectral is not None and spec.spectral.bins == 1024
    digest = hashlib.sha256(spleeter.files["/2stems.tar.gz"]).hexdigest()
    url = f"{spleeter.url}/2stems.tar.gz"
    assert spec.provenance == f"Spleeter's 2stems by Deezer, {url}, sha256 {digest}."
    assert left_in(cache) == ["models/spleeter--2stems/spec.json"]
    spleeter.requests.clear()
    assert hub.pull(SPLEETER) == hub.pull(SPLEETER, offline=True) == folder
    assert spleeter.requests == []


def test_the_16khz_variant_has_more_bins(spleeter: Publisher) -> None:
    spec = read_spec(hub.pull(SPLEETER + "-16kHz"))
    assert spec.name == "spleeter:2stems-16kHz"
    assert spec.spectral is not None and spec.spectral.bins == 1536


def test_one_download_makes_both_variants(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, goldens: Path, cache: Path
) -> None:
    """They differ in what they see of the spectrogram, not in their weights."""
    publish_archive(publisher, monkeypatch, archive_of(CHECKPOINT))
    monkeypatch.setattr(hub, "_read_checkpoint", lambda _, name: read_checkpoint(goldens / "spleeter_2stems", name))
    first = hub.pull(SPLEETER)
    publisher.requests.clear()
    second = hub.pull(SPLEETER + "-16kHz", offline=True)
    assert publisher.requests == []
    one, two = open_model_folder(first), open_model_folder(second)
    assert two.spectral == dataclasses.replace(one.spectral, bins=1536)
    assert two == dataclasses.replace(one, name=SPLEETER + "-16kHz", scores=two.scores, spectral=two.spectral)
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()

    hub.remove(SPLEETER)
    weights = second / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])  # no source for the other any more
    assert open_model_folder(hub.pull(SPLEETER)) == one
    assert publisher.gets("/2stems.tar.gz") == [None]


def test_progress_and_resumption_across_calls(spleeter: Publisher, cache: Path) -> None:
    total = len(spleeter.files["/2stems.tar.gz"])
    seen: list[tuple[int, int | None]] = []

    def interrupt(done: int, total: int | None) -> None:
        seen.append((done, total))
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.pull(SPLEETER, progress=interrupt)
    assert left_in(cache) == ["downloads/2stems/2stems.tar.gz.part"]
    had = (cache / "downloads/2stems/2stems.tar.gz.part").stat().st_size
    spleeter.requests.clear()
    hub.pull(SPLEETER, progress=lambda done, total: seen.append((done, total)))
    assert spleeter.gets("/2stems.tar.gz") == [f"bytes={had}-"]
    assert seen[-1] == (total, total)
    assert left_in(cache) == ["models/spleeter--2stems/spec.json"]


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(drop_after=1000), Fault(drop_after=5000)],
        [Fault(status=500), Fault(drop_after=9), Fault(ignore_range=True)],
        [Fault(drop_after=50_000), Fault(wrong_range=True)],
    ],
)
def test_a_bad_line_is_survived(spleeter: Publisher, faults: list[Fault], converter: SimpleNamespace) -> None:
    spleeter.faults["/2stems.tar.gz"] = faults
    hub.pull(SPLEETER)
    assert converter.files == CHECKPOINT


def test_archive_that_lies_is_refused(spleeter: Publisher, cache: Path) -> None:
    spleeter.files["/2stems.tar.gz"] = bytes(len(spleeter.files["/2stems.tar.gz"]))
    with pytest.raises(ChecksumError, match="is not the expected file: its sha256 is"):
        hub.pull(SPLEETER)
    assert left_in(cache) == []


def test_truncated_archive_is_refused(spleeter: Publisher, cache: Path) -> None:
    spleeter.files["/2stems.tar.gz"] = spleeter.files["/2stems.tar.gz"][:-1000]
    with pytest.raises(ChecksumError, match="is not the expected file: its sha256 is"):
        hub.pull(SPLEETER)
    assert left_in(cache) == []


def test_release_that_states_another_checksum_is_refused(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, converter: SimpleNamespace, cache: Path
) -> None:
    content = archive_of(CHECKPOINT)
    publish_archive(publisher, monkeypatch, content, pinned="0" * 64)
    with pytest.raises(ChecksumError) as error:
        hub.pull(SPLEETER)
    assert str(error.value) == (
        f"{publisher.url}/checksum.json says that 2stems.tar.gz has sha256 {hashlib.sha256(content).hexdigest()}, "
        f"but {'0' * 64} was published; nothing was downloaded. Unset UNBRAID_SPLEETER_URL if it is set, or report "
        "this."
    )
    assert publisher.gets("/2stems.tar.gz") == []


@pytest.mark.parametrize("text", [b"not json", b"[]", b'{"4stems": "x"}'])
def test_checksum_file_without_the_checksum(spleeter: Publisher, text: bytes) -> None:
    spleeter.files["/checksum.json"] = text
    with pytest.raises(DownloadError) as error:
        hub.pull(SPLEETER)
    assert str(error.value) == (
        f"{spleeter.url}/checksum.json does not state the checksum of 2stems; it should map names to sha256."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive_of({**CHECKPOINT, "model.index": b""} | {"../evil": b"x"}), None),
        (archive_of({"checkpoint": b"x"}), "2stems.tar.gz does not hold 'model.index', so it is no checkpoint of"),
        (b"not an archive", "2stems.tar.gz cannot be unpacked: "),
        (archive_of(CHECKPOINT)[:-5000], "2stems.tar.gz cannot be unpacked: "),
    ],
)
def test_archives_are_unpacked_safely(
    content: bytes,
    message: str | None,
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    converter: SimpleNamespace,
    cache: Path,
) -> None:
    publish_archive(publisher, monkeypatch, content)
    if message is None:
        hub.pull(SPLEETER)
        assert set(converter.files) == set(CHECKPOINT)
        assert not list(cache.rglob("*evil*"))
    else:
        with pytest.raises(ChecksumError) as error:
            hub.pull(SPLEETER)
        assert str(error.value).startswith(message)
        assert not (cache / "models").exists()


def test_checkpoint_that_cannot_be_read_leaves_nothing(
    spleeter: Publisher, converter: SimpleNamespace, cache: Path
) -> None:
    converter.refuse = True
    with pytest.raises(ModelError, match=r"^tensor 'x' is missing\.$"):
        hub.pull(SPLEETER)
    assert left_in(cache) == []


def test_two_pulls_at_once_download_once(spleeter: Publisher, cache: Path) -> None:
    found: list[Path] = []
    pulls = [threading.Thread(target=lambda: found.append(hub.pull(SPLEETER))) for _ in range(4)]
    for thread in pulls:
        thread.start()
    for thread in pulls:
        thread.join(20)
    assert found == [cache / "models" / "spleeter--2stems"] * 4
    assert spleeter.gets("/2stems.tar.gz") == [None]
    assert left_in(cache) == ["models/spleeter--2stems/spec.json"]


@pytest.mark.parametrize("variable", ["UNBRAID_OFFLINE", "HF_HUB_OFFLINE", None])
def test_offline_refuses_at_once(
    spleeter: Publisher, monkeypatch: pytest.MonkeyPatch, variable: str | None, cache: Path
) -> None:
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(DownloadError) as error:
        hub.pull(SPLEETER, offline=None if variable else True)
    assert str(error.value) == (
        f"{SPLEETER} is not on this machine, and downloads are forbidden; leave out --offline and unset "
        "UNBRAID_OFFLINE and HF_HUB_OFFLINE to pull it."
    )
    assert spleeter.requests == [] and not cache.exists()
    monkeypatch.setenv("UNBRAID_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    assert not hub.is_offline()


def test_unknown_name_is_not_pulled() -> None:
    with pytest.raises(ModelNotFound, match=r"^No model or folder is called 'spleeter:3stems'; did you mean spleeter:"):
        hub.pull("spleeter:3stems")


def test_cache_that_cannot_be_made(spleeter: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DownloadError, match=r"cannot be written: .+\. Check the disk, or choose another folder by UNBRAID_CACHE\.$"
    ):
        hub.pull(SPLEETER)
