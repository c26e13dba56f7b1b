"""The hostile files borrow the writers of published formats from the importers' tests."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1] / "hub" / "importers")]
