"""Take the JavaScript that others publish into the package: `make vendor`, with npm.

The page works without a network, and a wheel is built without npm, so that the file is kept here. It is the one
that npm's registry has under this version and hash, byte for byte; a test compares it with the hash below.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE, VERSION = "signalsmith-stretch", "1.3.2"  # MIT, by Geraint Luff: tempo without pitch
INTEGRITY = "tJqRbwPCoWLSHXwO29UQ75u72IwPsHns3RG+TKzuOAp7OduJiJMzEtz32JEFbPFQcTR7aiKCIVc+/Kzw8bMZUw=="  # sha512
SOURCE = "package/SignalsmithStretch.mjs"
PLACE = Path(__file__).parents[1] / "src/unbraid/service/static/vendor/signalsmith-stretch.mjs"


def main() -> None:
    """Fetch the package, compare its hash, and write its file."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True)
        (archive,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != INTEGRITY:
            raise SystemExit(f"{PACKAGE} {VERSION} has the sha512 {digest}, expected {INTEGRITY}")
        with tarfile.open(archive) as package:
            found = package.extractfile(SOURCE)
            assert found is not None
            PLACE.write_bytes(found.read())
    print(f"{PLACE}: sha256 {hashlib.sha256(PLACE.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
