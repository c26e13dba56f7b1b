"""S3 as a place of recordings and outputs, against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_kills import make_recordings
from typer.testing import CliRunner, Result

from unbraid.cli import app

_REASON = "no S3 server: pip install s3fs 'moto[server]'"
pytest.importorskip("pyarrow", reason="no batch extra: pip install 'unbraid[batch]'")
s3fs = pytest.importorskip("s3fs", reason=_REASON)
moto = pytest.importorskip("moto.server", reason=_REASON)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket called archive."""
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    values = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    if fs.exists("archive"):  # all servers of a process share their memory
        fs.rm("archive", recursive=True)
    fs.mkdir("archive")
    yield fs
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def batch(folder: Path, model: Path | str, *arguments: str) -> Result:
    manifest = ["--manifest", str(folder / "run.parquet")]
    return CliRunner().invoke(app, ["batch", "-m", str(model), "-p", "1", *manifest, *arguments])


def test_from_s3_to_s3(s3: Any, tmp_path: Path, music_folder: Path) -> None:
    make_recordings(tmp_path / "raw", 2)
    s3.put(f"{tmp_path}/raw/", "archive/raw/", recursive=True)
    s3.pipe_file("archive/raw/bad.wav", b"no audio")
    result = batch(tmp_path, music_folder, "s3://archive/", "-o", "s3://archive/stems/")
    assert result.exit_code == 1 and result.stdout.startswith("2 done, 1 failed"), result.output
    assert "error: s3://archive/raw/bad.wav is not audio that can be read" in result.stderr
    for name in ("raw/0/0", "raw/1/1"):
        record = json.loads(s3.cat_file(f"archive/stems/{name}/.unbraid.json"))
        there = {path.rpartition("/")[2] for path in s3.find(f"archive/stems/{name}")}
        assert there == {*record["files"], ".unbraid.json"} and len(there) > 2
    assert len(s3.find("archive/stems")) == 2 * len(there)  # no probe and no half of anything is left

    result = batch(tmp_path, music_folder, "s3://archive/", "-o", "s3://archive/stems/", "--resume")
    assert result.stderr.startswith("0 to do, 2 done already, 1 failed before"), result.output  # and no stems as inputs
    s3.pipe_file("archive/raw/0/0.wav", (tmp_path / "raw/1/1.wav").read_bytes())  # another recording, of another ETag
    result = batch(tmp_path, music_folder, "s3://archive/", "-o", "s3://archive/stems/", "--resume")
    assert result.stderr.startswith("1 to do, 1 done already"), result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["s3://nothing/raw/", "-o", "s3://archive/x"], "There is nothing at 's3://nothing/raw/'"),
        (["s3://archive/raw/", "-o", "s3://nothing/x"], "There is nothing at 's3://nothing/x'"),
    ],
)
def test_buckets_that_are_not_there(
    s3: Any, tmp_path: Path, music_folder: Path, arguments: list[str], told: str
) -> None:
    s3.pipe_file("archive/raw/x.wav", b"1234")
    result = batch(tmp_path, music_folder, *arguments)
    assert result.exit_code == 2 and told in result.stderr, result.output
    assert list(tmp_path.iterdir()) == []


def test_no_credentials(s3: Any, tmp_path: Path, music_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    result = batch(tmp_path, music_folder, "s3://archive/raw/", "-o", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "may not be used (Unable to locate credentials); check the credentials: set them as" in result.stderr
