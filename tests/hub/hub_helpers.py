"""What the tests of the hub share: names, small checkpoints, and how they are published."""

import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hub_server import Publisher

from unbraid.hub import catalogue
from unbraid.hub import names as hub
from unbraid.hub.spec import ModelSpec, Spectral, Windows
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.unet.config import UNetConfig

SPLEETER = "spleeter:2stems"
SPEECH = "speechbrain/sepformer-whamr-enhancement"  # no revision pinned
PINNED = "speechbrain/sepformer-wsj02mix"
CHECKPOINT = {
    "checkpoint": b'model_checkpoint_path: "model"\n',
    "model.index": b"index",
    "model.data-00000-of-00001": bytes(np.random.default_rng(0).integers(0, 256, 300_000, np.uint8)),
}


def archive_of(files: dict[str, bytes]) -> bytes:
    """A tar.gz with these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def publish_archive(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, content: bytes, pinned: str | None = None
) -> None:
    """Serve an archive as Spleeter's release does, and pin its hash in the catalogue."""
    digest = hashlib.sha256(content).hexdigest()
    publisher.files["/2stems.tar.gz"] = content
    publisher.files["/checksum.json"] = json.dumps({"2stems": digest}).encode()
    monkeypatch.setenv("UNBRAID_SPLEETER_URL", publisher.url + "/")
    known = dict(catalogue.catalogue().published)
    for name in (SPLEETER, SPLEETER + "-16kHz"):
        known[name] = dataclasses.replace(known[name], sha256={"2stems.tar.gz": pinned or digest})
    changed = dataclasses.replace(catalogue.catalogue(), published=known)
    monkeypatch.setattr(hub, "catalogue", lambda: changed)


SPEECH_FILES = {
    "hyperparams.yaml": b"sample_rate: 8000\n",
    "encoder.ckpt": b"encoder" * 10,
    "decoder.ckpt": b"decoder" * 10,
    "masknet.ckpt": CHECKPOINT["model.data-00000-of-00001"],
}


def a_spec(name: str, family: str = "unet") -> ModelSpec:
    """Some spec of a name."""
    if family == "unet":
        front = {"channels": 2, "geometry": UNetConfig(), "spectral": Spectral()}
        stems: tuple[str, ...] = ("vocals", "accompaniment")
    else:
        front = {"channels": 1, "geometry": SepFormerConfig(sources=1), "windows": Windows()}
        stems = ("speech",)
    return ModelSpec(
        name=name, family=family, sample_rate=8000, stems=stems, licence="?", provenance="a folder", **front
    )


def left_in(cache: Path) -> list[str]:
    """Files of the cache, by their paths in it, but for locks."""
    return sorted(str(f.relative_to(cache)) for f in cache.rglob("*") if f.is_file() and f.suffix != ".lock")
