"""Pretrained Wav2Vec2 and HuBERT encoders, on this machine or from the Hugging Face hub.

Accepted are a folder in the layout of transformers, with a CTC head or without, and a model folder of the family
"wav2vec2", without its head. Downloads stay in the cache as published, so that a resumed run uses the same weights:

    cache/encoders/<owner>--<name>/    config.json, preprocessor_config.json and the weights
"""

import os
import re
import shutil
from pathlib import Path

from unbraid.errors import DownloadError, ModelError, ModelNotFound
from unbraid.files.atomic import flush
from unbraid.hub import cache as store
from unbraid.hub import names as hub
from unbraid.hub.catalogue import Published, catalogue, folder_name
from unbraid.hub.download import disk_errors
from unbraid.hub.folder import WEIGHTS, open_model_folder
from unbraid.hub.importers.wav2vec2_backbone import Trunk, read_trunk
from unbraid.hub.publishers import fetch_trunk
from unbraid.models.tensors import read_weights
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.wav2vec2.layout import backbone_shapes

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
EXAMPLE = "facebook/hubert-base-ls960"


def pretrained_trunk(name: str) -> Trunk:
    """The backbone of a Wav2Vec2 or HuBERT, without its head, by folder or name.

    Raises:
        ModelError: there is none, it is of another kind, or damaged; or it cannot be fetched.
    """
    folder = _found(name)
    if not (folder / "spec.json").is_file():
        return read_trunk(folder)
    spec = open_model_folder(folder)
    if not isinstance(spec.geometry, Wav2Vec2Config):
        raise ModelError(f"{name} is a {spec.family}, no Wav2Vec2 or HuBERT; choose one, such as {EXAMPLE}.")
    weights = read_weights(folder / WEIGHTS)
    tensors = {tensor: weights[tensor].astype("float32") for tensor in backbone_shapes(spec.geometry)}
    return Trunk(spec.geometry, spec.sample_rate, tensors)


def _found(name: str) -> Path:
    """The folder of an encoder: at that path, among the models here, or from the hub."""
    if (path := Path(name).expanduser()).is_dir():
        return path
    try:
        return hub.resolve(name)
    except ModelNotFound:
        known = catalogue().published.get(name)
        if not HUB_NAME.fullmatch(name) or ".." in name or (known and known.source != "transformers"):
            raise ModelNotFound(
                f"{name} is no folder, no model here and no name on the Hugging Face hub; give one of a Wav2Vec2 or "
                f"HuBERT, such as {EXAMPLE}."
            ) from None
    return _fetched(name)


def _fetched(name: str) -> Path:
    """The folder of an encoder of the hub, downloaded unless it is here."""
    destination = store.cache_folder() / "encoders" / folder_name(name)
    if destination.is_dir():
        store.forget_staging(folder_name(name))
        return destination
    if hub.is_offline():
        raise DownloadError(
            f"{name} is not on this machine, and downloads are forbidden; unset UNBRAID_OFFLINE and HF_HUB_OFFLINE, or "
            "give a folder that holds it."
        )
    with store.staging(folder_name(name)) as staging:
        if not destination.is_dir():  # fetched by another process while we waited for the lock
            fetched = fetch_trunk(_published(name), staging, None)
            try:
                read_trunk(fetched.folder)
            except ModelError:
                shutil.rmtree(staging, ignore_errors=True)
                raise
            with disk_errors(destination.parent):
                destination.parent.mkdir(parents=True, exist_ok=True)
                flush(fetched.folder)
                os.replace(fetched.folder, destination)
        shutil.rmtree(staging, ignore_errors=True)
    return destination


def _published(name: str) -> Published:
    """The catalogue's entry of a repository on the hub, or one with no more than its name."""
    if (entry := catalogue().published.get(name)) is not None:
        return entry
    return Published(name, "transformers", "wav2vec2", 16000, (), "as stated by its publisher", 0, {}, {})
