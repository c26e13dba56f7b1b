"""The API over HTTP, with real workers."""

import io
import json
import socket
import time
import zipfile
from pathlib import Path

import httpx2
import pytest
from service_fakes import recording

from unbraid.hub.folder import sha256
from unbraid.service.client import Client, ServiceError

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
PROBLEM = "application/problem+json"


@pytest.fixture
def http(server):
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture
def client(server):
    with Client(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def done(server, tmp_path_factory):
    """A job that is done."""
    with Client(server.url) as client:
        song = recording(tmp_path_factory.mktemp("in") / "the song.wav", 1.0)
        job = client.wait(client.submit(song, "separate", {"model": "music-2"}).id)
    assert job.state == "done", job.error
    return job


def told(response: httpx2.Response, status: int) -> str:
    """The sentence of a refusal."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["status"] == status and body["title"]
    return body["detail"]


def post(http: httpx2.Client, content: bytes = b"RIFF", name: str = "a.wav", **fields: str) -> httpx2.Response:
    return http.post("/v1/jobs", files={"file": (name, content)}, data=fields)


def test_a_job_from_upload_to_results(client: Client, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 1.0)
    job = client.submit(song, "enhance", {"strength": 0.5})
    assert (job.kind, job.name, job.options["strength"]) == ("enhance", "song.wav", 0.5)
    seen = list(client.watch(job.id))
    assert seen[-1].state == "done" and [job.progress for job in seen] == sorted(job.progress for job in seen)
    files = client.download(job.id, tmp_path / "out")
    assert set(files) == {"speech.flac", "residual.flac"}
    assert {file.name: file.sha256 for file in seen[-1].files if file.role == "result"} == {
        name: sha256(path) for name, path in files.items()
    }
    assert job.id in [job.id for job in client.jobs()]
    client.delete(job.id)
    with pytest.raises(ServiceError, match="^You have no such job; it may have been deleted.$") as error:
        client.job(job.id)
    assert error.value.status == 404


def test_the_answer_says_where_the_job_is(http: httpx2.Client, tmp_path: Path) -> None:
    response = post(http, recording(tmp_path / "a.wav", 0.5).read_bytes())
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/jobs/{response.json()['id']}"
    assert http.get(response.headers["location"]).json()["name"] == "a.wav"


def test_files_come_whole_and_in_ranges(http: httpx2.Client, done, server) -> None:
    address = f"/v1/jobs/{done.id}/files/vocals.flac"
    whole = http.get(address)
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["content-disposition"] == "attachment; filename*=utf-8''the%20song%20vocals.flac"
    part = http.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert http.get(address, headers={"Range": "bytes=999999999-"}).status_code == 416
    assert http.head(address).headers["content-length"] == str(len(whole.content))


def test_all_results_come_as_one_zip(http: httpx2.Client, done) -> None:
    response = http.get(f"/v1/jobs/{done.id}/zip")
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["accompaniment.flac", "vocals.flac"]
        vocals = http.get(f"/v1/jobs/{done.id}/files/vocals.flac").content
        assert archive.read("vocals.flac") == vocals


@pytest.mark.parametrize("name", ["x.flac", "..%2finput", "%2e%2e%2f%2e%2e%2fjobs.sqlite", ".", "%00"])
def test_only_files_of_the_job_are_served(http: httpx2.Client, done, name: str) -> None:
    assert http.get(f"/v1/jobs/{done.id}/files/{name}").status_code in (307, 404)
    assert http.get(f"/v1/jobs/{done.id}/files/{name}", follow_redirects=True).status_code == 404


@pytest.mark.parametrize("name", ["../../evil.wav", "..\\evil.wav", "/etc/evil.wav", "e\x00vil.wav", "evil.wav"])
def test_names_of_clients_are_no_paths(http: httpx2.Client, server, name: str) -> None:
    boundary = "x" * 20
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nRIFF\r\n'
    body += f"--{boundary}--\r\n"
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    response = http.post("/v1/jobs", content=body.encode(), headers=kind)
    assert response.json()["name"] == "evil.wav"
    assert not [path for path in server.data.rglob("*") if "evil" in path.name]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "master"}, "There is no kind of job called 'master'; choose one of separate, enhance"),
        ({"tempo": "2"}, "A job of kind separate has no option 'tempo'; its options are model, speakers, residual"),
        ({"model": "/etc"}, "The option model of a job of kind separate should match pattern"),
        ({"model": "digits"}, "There is no model 'digits' for jobs of kind separate; choose one of music-2, music-4"),
        ({"model": "src/unbraid"}, "There is no model 'src/unbraid' for jobs of kind separate; choose one of music-2"),
    ],
)
def test_wrong_options_are_refused(http: httpx2.Client, fields: dict[str, str], sentence: str) -> None:
    assert told(post(http, **fields), 422).startswith(sentence)


def test_no_form_no_file_nothing_in_it(http: httpx2.Client) -> None:
    assert told(http.post("/v1/jobs", content=b"RIFF"), 415).startswith("A job is sent as a form")
    assert told(http.post("/v1/jobs", data={"kind": "separate"}), 415).startswith("A job is sent as a form")
    assert told(http.post("/v1/jobs", files={"other": b"x"}), 400).startswith("The form has no file; send it as: curl")
    assert told(post(http, b""), 400) == "a.wav is empty; send a recording."
    two = [("file", ("a.wav", b"a")), ("file", ("b.wav", b"b"))]
    assert told(http.post("/v1/jobs", files=two), 400) == "The form has two files; send a job for each."
    kinds = [("file", ("a.wav", b"a")), ("kind", (None, "align")), ("kind", (None, "separate"))]
    assert told(http.post("/v1/jobs", files=kinds), 400) == "The form has the field 'kind' twice; send it once."


def test_too_large_a_file(http: httpx2.Client, server) -> None:
    sentence = "The file has more than 4 MB, and this service takes no larger ones."
    assert told(post(http, bytes(5_000_000)), 413) == sentence

    def endless():  # without a length that could be looked at first
        yield b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(60):
            yield bytes(100_000)

    kind = {"Content-Type": "multipart/form-data; boundary=xx"}
    assert told(http.post("/v1/jobs", content=endless(), headers=kind), 413) == sentence
    assert not list((server.data / "incoming").iterdir())


def raw(server, request: bytes) -> tuple[socket.socket, bytes]:
    """A connection on which a request was begun."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000\r\n"
    connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=xx\r\n\r\n" + request)
    return connection, request


def answer_on(connection: socket.socket) -> bytes:
    """All that the server sends, the body as well, until it closes the connection."""
    return b"".join(iter(lambda: connection.recv(10_000), b""))


PART = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'


def test_a_slow_client_is_sent_away(server) -> None:
    connection, _ = raw(server, PART)
    with connection:
        answer = answer_on(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"Nothing came for 1 s" in answer
    assert not list((server.data / "incoming").iterdir())


def test_a_client_that_drips_is_sent_away(server) -> None:
    connection, _ = raw(server, PART)
    with connection:
        for _ in range(30):
            time.sleep(0.1)
            try:
                connection.sendall(bytes(10))
            except OSError:  # closed by the server
                break
        answer = answer_on(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"The upload is slower than 8 kB/s" in answer


def test_an_upload_that_is_cut_off_leaves_nothing(server, http: httpx2.Client) -> None:
    before = len(http.get("/v1/jobs").json())
    connection, _ = raw(server, PART)
    connection.close()
    whole = PART.partition(b"RIFF")[0] + b"RIFF"  # whole, but without the end of the form
    cut = http.post("/v1/jobs", content=whole, headers={"Content-Type": "multipart/form-data; boundary=xx"})
    assert told(cut, 400) == "The upload was cut off; send it again."
    assert len(http.get("/v1/jobs").json()) == before
    assert not list((server.data / "incoming").iterdir())


def test_the_same_key_gives_the_same_job(http: httpx2.Client, tmp_path: Path) -> None:
    content = recording(tmp_path / "a.wav", 0.5).read_bytes()
    answers = [
        http.post("/v1/jobs", files={"file": ("a.wav", content)}, headers={"Idempotency-Key": "k"}) for _ in "ab"
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_a_job_without_results(http: httpx2.Client, client: Client, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_bytes(b"no audio")
    job = client.wait(client.submit(tmp_path / "text.wav").id)
    assert (job.state, job.error_kind) == ("failed", "audio")
    assert job.error is not None and job.error.startswith("text.wav is not audio that can be read")
    assert told(http.get(f"/v1/jobs/{job.id}/zip"), 409) == "The job is failed and has no files."
    sentence = "The job has no file of this name; it is failed and has none."
    assert told(http.get(f"/v1/jobs/{job.id}/files/x"), 404) == sentence
    with pytest.raises(ServiceError, match=f"^The job {job.id} is failed and has no files. text.wav is not audio"):
        client.download(job.id, tmp_path / "out")


def test_a_running_job_is_cancelled_before_it_is_deleted(client: Client, http: httpx2.Client, tmp_path: Path) -> None:
    job = client.submit(recording(tmp_path / "talk.wav", 60.0), "separate", {"model": "speech"})
    assert told(http.delete(f"/v1/jobs/{job.id}"), 409) == "The job is not finished; cancel it first."
    client.cancel(job.id)
    assert client.wait(job.id).state == "cancelled"
    client.delete(job.id)


def test_unknown_addresses_and_methods(http: httpx2.Client) -> None:
    assert told(http.get("/v1/nothing"), 404).startswith("There is nothing at this address")
    assert told(http.put("/v1/jobs"), 405).startswith("This address takes no such method")
    assert told(http.get("/v1/jobs/..%2f..%2fetc"), 404)
    assert told(http.get("/v1/jobs?limit=0"), 422) == "limit: Input should be greater than or equal to 1."


def test_models_health_metrics(http: httpx2.Client, done) -> None:
    models = {model["name"]: model for model in http.get("/v1/models").json()}
    assert models["music-4"]["kinds"] == ["separate", "analyse"] and models["music-4"]["licence"]
    assert models["digits"]["kinds"] == ["transcribe", "align"]
    assert models["denoise-live"]["latency_seconds"] == pytest.approx(0.032)
    assert models["speech"]["kinds"] == ["separate", "diarize"] and "diarize" in models["speech"]["default_for"]
    assert models["denoise"]["default_for"] == ["enhance"] and "g2p" not in models
    assert http.get("/v1/health").json()["workers"] == 1
    assert http.get("/v1/limits").json()["upload_bytes"] == 4_000_000
    metrics = http.get("/v1/metrics").text
    assert 'unbraid_jobs_finished_total{state="done"}' in metrics and "unbraid_workers 1.0" in metrics


def test_the_api_describes_itself(http: httpx2.Client) -> None:
    described = http.get("/v1/openapi.json").json()
    post = described["paths"]["/v1/jobs"]["post"]
    form = post["requestBody"]["content"]["multipart/form-data"]
    assert {"file", "kind", "model", "speakers", "strength"} <= form["schema"]["properties"].keys()
    assert form["examples"]["song"]["value"]["model"] == "music-4"
    assert {"202", "400", "413", "415", "422", "429", "507"} <= post["responses"].keys()


def test_nothing_of_the_page_comes_from_elsewhere(http: httpx2.Client) -> None:
    page = http.get("/")
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200 and "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "'unsafe-inline'" not in policy and "'unsafe-eval'" not in policy
    static = Path(__file__).parents[2] / "src/unbraid/service/static"
    for file in (path for path in static.rglob("*") if path.is_file()):
        text = file.read_text(encoding="utf-8")
        for known in ("http://www.w3.org/2000/svg", "https://developer.mozilla.org/"):  # a name, and a comment
            text = text.replace(known, "")
        assert "http://" not in text and "https://" not in text
        assert http.get(f"/static/{file.relative_to(static).as_posix()}").status_code == 200
    assert http.get("/docs").status_code == 404


def test_all_jobs_are_told_as_events(http: httpx2.Client, done) -> None:
    with http.stream("GET", "/v1/events") as response:
        lines = response.iter_lines()
        assert next(lines) == "event: job"
        assert json.loads(next(lines).removeprefix("data: "))["id"]
