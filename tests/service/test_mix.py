"""The mix of a job as its player has set it."""

import io
from pathlib import Path

import httpx2
import numpy as np
import pytest
import soundfile
from service_fakes import recording

from unbraid.errors import UsageError
from unbraid.service.client import Client

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
from unbraid.service.mix import FADE_SECONDS, envelope, mix_of, panned

FILES = {"vocals": Path("vocals.flac"), "other": Path("other.flac")}


@pytest.fixture(scope="module")
def done(server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, np.ndarray, dict[str, np.ndarray]]:
    """The address of a job, its recording and its stems (n, 2)."""
    folder = tmp_path_factory.mktemp("mix")
    song = recording(folder / "song.wav", 2.0, 44100)
    with Client(server.url) as client:
        job = client.wait(client.submit(song, "separate", {"model": "music-2", "format": "wav"}).id)
        files = client.download(job.id, folder / "out")
    stems = {path.stem: soundfile.read(path, always_2d=True)[0] for path in files.values()}
    return f"{server.url}/v1/jobs/{job.id}/mix", soundfile.read(song, always_2d=True)[0], stems


def mix(address: str, **query: list[str]) -> np.ndarray:
    """The samples (n, C) of a mix."""
    answer = httpx2.get(address, params=query)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return soundfile.read(io.BytesIO(answer.content), always_2d=True)[0]


def test_all_tracks_together_are_the_recording(done) -> None:
    address, whole, _ = done
    np.testing.assert_allclose(mix(address), whole, atol=1e-4)  # stems of 16 bits


def test_gain_pan_and_muted_passages(done) -> None:
    address, _, stems = done
    made = mix(address, track=["vocals:0.5:1", "accompaniment:1:0"], mute=["accompaniment:0.5:1"])
    vocals, rest = stems["vocals"][:, 0], stems["accompaniment"][:, 0]  # the recording is mono
    heard = rest * envelope([(0.5, 1.0)], 0, len(rest), 44100)
    np.testing.assert_allclose(made[:, 0], heard, atol=1e-6)
    np.testing.assert_allclose(made[:, 1], heard + vocals, atol=1e-6)  # all of a track on the right is on the right
    assert np.abs(heard[round(0.51 * 44100) : round(0.99 * 44100)]).max() == 0


def test_tracks_that_are_not_named_are_left_out(done) -> None:
    address, _, stems = done
    np.testing.assert_allclose(mix(address, track=["vocals:1:0"]), stems["vocals"], atol=1e-6)


def test_panning_keeps_what_is_in_the_middle_and_the_power_of_one_side() -> None:
    stereo = np.random.default_rng(0).standard_normal((2, 100)).astype(np.float32)
    np.testing.assert_allclose(panned(stereo, 0.0), stereo, atol=1e-6)
    left = panned(stereo, -0.5)
    moved = stereo[1]  # the right channel, of which a part goes to the left
    np.testing.assert_allclose((left[0] - stereo[0]) ** 2 + left[1] ** 2, moved**2, atol=1e-5)
    assert np.abs(panned(stereo, -1.0)[1]).max() < 1e-6


def test_passages_fade_inside_their_edges() -> None:
    gain = envelope([(1.0, 2.0)], 0, 3000, 1000)
    fade = round(1000 * FADE_SECONDS)
    assert (gain[:1001] == 1).all() and (gain[2000:] == 1).all()
    assert gain[1000 + fade : 2001 - fade].max() < 1e-9
    np.testing.assert_array_equal(envelope([(1.0, 2.0)], 1500, 1500, 1000), gain[1500:])  # wherever a block begins


@pytest.mark.parametrize(
    ("tracks", "muted", "told"),
    [
        (["drums:1:0"], [], "The job has no track 'drums'; its tracks are vocals, other."),
        (["vocals"], [], "Behind the name of a track is GAIN:PAN, such as 1:0, not 'vocals'."),
        (["vocals:a:0"], [], "Behind the name of a track is GAIN:PAN, such as 1:0, not 'vocals:a:0'."),
        (["vocals:nan:0"], [], "The gain is 0 to 4, and the pan -1 (left) to 1 (right): 'vocals:nan:0'."),
        (["vocals:1:2"], [], "The gain is 0 to 4, and the pan -1 (left) to 1 (right): 'vocals:1:2'."),
        ([], ["vocals:2:1"], "A muted passage begins before it ends, and not before 0: 'vocals:2:1' does not."),
    ],
)
def test_wrong_settings(tracks: list[str], muted: list[str], told: str) -> None:
    with pytest.raises(UsageError) as error:
        mix_of(FILES, tracks, muted)
    assert str(error.value) == told


def test_a_job_without_tracks_has_no_mix(server, tmp_path: Path) -> None:
    with Client(server.url) as client:
        job = client.wait(client.submit(recording(tmp_path / "a.wav", 1.0), "diarize").id)
    answer = httpx2.get(f"{server.url}/v1/jobs/{job.id}/mix")
    assert (answer.status_code, answer.json()["detail"]) == (409, "The job is done and has no tracks to mix.")
