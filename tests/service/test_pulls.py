"""Downloads of published models over the API: the licence first, progress, and sentences where it fails."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from service_fakes import until

from source_tree import ROOT

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
from unbraid.service.catalogue import published
from unbraid.service.pulls import Pull, Pulls

MODEL = "spleeter:2stems"


def told(http: httpx2.Client, name: str, licence: str) -> tuple[int, str]:
    """The status and sentence of a refusal."""
    answer = http.post("/v1/models/pulls", json={"name": name, "licence": licence})
    return answer.status_code, answer.json()["detail"]


@pytest.fixture
def http(serving, tmp_path: Path):
    """A service whose publisher cannot be reached, with an empty cache."""
    server = serving(UNBRAID_CACHE=str(tmp_path / "cache"), UNBRAID_SPLEETER_URL="http://127.0.0.1:9/")
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client


def test_published_models_have_a_size_a_licence_and_kinds(http: httpx2.Client) -> None:
    models = {model["name"]: model for model in http.get("/v1/models/published").json()}
    assert models[MODEL]["kinds"] == ["separate"] and models[MODEL]["bytes"] == 78_614_080
    assert models[MODEL]["terms"][0].startswith("licence of the weights: MIT (https://")
    assert models["htdemucs"]["kinds"] == ["separate", "analyse"] and models["htdemucs"]["use"] == "non-commercial"
    assert models["facebook/wav2vec2-base-960h"]["kinds"] == ["transcribe", "align"]
    assert models["basic-pitch"]["kinds"] == ["analyse"]
    assert "microsoft/speecht5_hifigan" not in models and "music-4" not in models


def test_the_licence_is_told_first(http: httpx2.Client) -> None:
    asked = "The licence of spleeter:2stems is 'MIT'; send it as `licence` if you agree to it."
    assert told(http, MODEL, "") == (422, asked)
    status, sentence = told(http, "music-4", "MIT")
    assert (status, sentence.partition(" is published")[0]) == (404, "No model 'music-4'")
    for body in (b"\xff", b"x", b'{"name": '):
        answer = http.post("/v1/models/pulls", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "The body is not JSON in UTF-8; the API is described at /v1/openapi.json.",
        )
    assert http.get("/v1/models/pulls").json() == []


def test_a_publisher_that_does_not_answer(http: httpx2.Client) -> None:
    answer = http.post("/v1/models/pulls", json={"name": MODEL, "licence": "MIT"})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/models/pulls/{answer.json()['id']}"
    again = http.post("/v1/models/pulls", json={"name": MODEL, "licence": "MIT"})
    assert again.json()["id"] == answer.json()["id"]
    assert told(http, "spleeter:4stems", "MIT") == (
        429,
        "spleeter:2stems is being downloaded; wait for it, or cancel it.",
    )
    lines = http.get(f"{answer.headers['location']}/events").text.splitlines()
    last = json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))
    assert lines[0] == "event: pull" and last["state"] == "failed"
    assert last["error"].startswith("http://127.0.0.1:9/") and "Check the connection" in last["error"]
    assert http.get("/v1/models/pulls/none").status_code == 404


def test_a_download_is_cancelled(http: httpx2.Client) -> None:
    answer = http.post("/v1/models/pulls", json={"name": MODEL, "licence": "MIT"})
    assert http.post(f"{answer.headers['location']}/cancel").json()["state"] == "cancelled"
    assert http.get(f"{answer.headers['location']}/events").text.count("event: pull") == 1


def test_a_download_that_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of its process become its progress."""
    program = "import json; print(json.dumps({'done': 5, 'total': 9})); print('x'); print(json.dumps({'error': None}))"
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: real([sys.executable, "-c", program], **how))
    pulls = Pulls(0)
    pull = pulls.start("m")
    assert ended(pulls, pull).model_dump() == {
        "id": pull.id,
        "name": "m",
        "state": "done",
        "done_bytes": 5,
        "total_bytes": 9,
        "error": None,
    }


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: real([sys.executable, "-c", "exit(9)"], **how))
    pulls = Pulls(0)
    pull = ended(pulls, pulls.start("m"))
    assert (
        pull.state == "failed" and pull.error is not None and pull.error.startswith("The download ended unexpectedly")
    )


def ended(pulls: Pulls, pull: Pull) -> Pull:
    """A download once it is finished."""
    return until(lambda: found if (found := pulls.get(pull.id)).state != "running" else None)


def test_all_licences_are_told_in_words() -> None:
    for model in published():
        assert model.terms and model.licence, model.name


def test_the_javascript_of_others_is_what_they_published() -> None:
    """requirements/vendor.py, which compares the archive of npm with its hash, has written this file."""
    vendor = ROOT / "service" / "static" / "vendor"
    found = hashlib.sha256((vendor / "signalsmith-stretch.mjs").read_bytes()).hexdigest()
    assert found == "97530b11d5bc01015af4cde40d6aa55ff10c40aa1294ca4c8c5762027d517a46"
    assert "MIT License" in (vendor / "signalsmith-stretch.LICENSE").read_text(encoding="utf-8")
