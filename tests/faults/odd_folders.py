"""Folders as they lie on disks: links, pipes, sockets, what systems leave behind, names that are not UTF-8."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 8000
BYTES_NAME = os.fsdecode(b"caf\xe9")


def recording(path: Path, seconds: float = 0.3, seed: int = 0) -> Path:
    """A recording of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    with path.open("wb") as file:
        soundfile.write(file, noise, RATE, format=path.suffix[1:].upper())
    return path


def link(path: Path, target: Path) -> Path:
    """A symbolic link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(os.path.relpath(target, path.parent), target_is_directory=target.is_dir())
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    return path


def pipe(path: Path) -> Path:
    """A named pipe: whoever opens it waits."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def unix_socket(path: Path) -> Path:
    """A socket among files."""
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("no sockets among files here")
    here = os.getcwd()
    path.parent.mkdir(parents=True, exist_ok=True)
    os.chdir(path.parent)  # addresses are short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)
    return path


def folder_of_bytes(parent: Path) -> Path:
    """A folder whose name is not UTF-8."""
    folder = parent / BYTES_NAME
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"names are UTF-8 here: {error}")
    return folder
