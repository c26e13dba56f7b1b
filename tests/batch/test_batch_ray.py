"""A batch on a Ray cluster of three nodes, one of which is killed in the middle."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_kills import make_recordings

from source_tree import ROOT
from unbraid.batch.ray_engine import check_ray
from unbraid.errors import RuntimeUnavailable

pytest.importorskip("pyarrow", reason="no batch extra: pip install 'unbraid[batch]'")
FILES, KILLED_AT = 24, 4


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Three nodes of one core each."""
    pytest.importorskip("ray", reason="no ray: pip install 'unbraid[ray]'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT.parent), *sys.path)))
    sizes = {"num_cpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=sizes)
    try:
        cluster.extra = [cluster.add_node(**sizes) for _ in range(2)]
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_node_is_killed_in_the_middle(cluster: Any, tmp_path: Path, music_folder: Path) -> None:
    make_recordings(tmp_path / "raw", FILES)
    (tmp_path / "raw" / "bad.wav").write_bytes(b"no audio")
    journal = tmp_path / "out" / "manifest.jsonl"
    command = [sys.executable, "-m", "unbraid", "batch", str(tmp_path / "raw"), "-o", str(tmp_path / "out")]
    run = subprocess.Popen(
        [*command, "-m", str(music_folder), "--engine", "ray", "--address", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while run.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") <= KILLED_AT):
        time.sleep(0.2)
    cluster.remove_node(cluster.extra[0], allow_graceful=False)
    told, _ = run.communicate(timeout=500)
    assert run.returncode == 1 and f"{FILES} done, 1 failed" in told, told
    lines = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert len(lines) == len({line["address"] for line in lines}) == FILES + 1
    for line in lines:
        if line["status"] == "done":
            there = {path.name for path in (tmp_path / "out" / line["name"]).iterdir()}
            assert there == {*(file["name"] for file in line["outputs"]), ".unbraid.json"}


def test_a_cluster_that_is_not_there() -> None:
    pytest.importorskip("ray", reason="no ray: pip install 'unbraid[ray]'")
    with pytest.raises(RuntimeUnavailable, match=r"^No Ray cluster can be reached at 127\.0\.0\.1:1 \(.*\); start one"):
        check_ray("127.0.0.1:1")


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        RuntimeUnavailable, match=r"^--engine ray needs ray, .*; get it with `pip install 'unbraid\[ray\]'"
    ):
        check_ray(None)
