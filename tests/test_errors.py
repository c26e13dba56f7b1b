"""What a disk refuses is said in the same words wherever it refuses: audio, tracks, downloads."""

import errno
import os
from pathlib import Path

import pytest

from unbraid.errors import AudioError, DownloadError, refused
from unbraid.files.workdir import disk_errors
from unbraid.hub import download

REMEDIES = [
    (errno.ENOSPC, "Free some space, or choose another folder with -o."),
    (errno.EDQUOT, "Free some space, or choose another folder with -o."),
    (
        errno.EFBIG,
        "Files may not be that large there; raise the limit (`ulimit -f`), or choose another folder with -o.",
    ),
    (errno.EACCES, "Choose a folder you may write to with -o."),
    (errno.EROFS, "Choose a folder you may write to with -o."),
    (errno.ENOENT, "Create the folder first."),
    (errno.ENAMETOOLONG, "Choose shorter names."),
    (errno.EIO, "Check the disk, or choose another folder with -o."),
]


@pytest.mark.parametrize(("number", "remedy"), REMEDIES)
def test_each_failure_has_its_remedy(number: int, remedy: str) -> None:
    error = OSError(number, os.strerror(number))
    message = f"there cannot be written: {os.strerror(number)}. {remedy}"
    assert refused("there", error, " with -o") == message
    assert refused("there", error) == message.replace(" with -o", "")
    with pytest.raises(AudioError) as caught, disk_errors(Path("there")):
        raise error
    assert str(caught.value) == message
    with pytest.raises(DownloadError) as hub, download.disk_errors(Path("there")):
        raise error
    assert str(hub.value) == message.replace(" with -o", " by UNBRAID_CACHE")
