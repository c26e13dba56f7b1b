"""`unbraid serve` where its extra is missing; tests/service has the rest."""

import sys

import pytest
from typer.testing import CliRunner

from unbraid.cli import app

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")  # to take away again


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_the_extra_the_sentence_names_it(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in [name for name in sys.modules if name.startswith("unbraid.service")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    done = CliRunner().invoke(app, ["serve", "--data", str(tmp_path / "data")])
    told = f"error: `unbraid serve` needs {package}, which is not installed; get it with `pip install 'unbraid[web]'`."
    assert (done.exit_code, done.stderr.strip()) == (2, told)
    assert not (tmp_path / "data").exists()
