"""Channels that a plain mean loses: opposite polarity, silent or offset channels, and calls with a party on each."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from recognizer_fakes import RATE, ears, say, writer
from unbraid.cli import app
from unbraid.dsp.downmix import FADE_SECONDS, Downmix, downmixed
from unbraid.errors import UsageError
from unbraid.tasks.separation.stream import Track
from unbraid.tasks.transcription.channels import channels_of
from unbraid.tasks.transcription.subtitles import lines_of, written
from unbraid.tasks.transcription.transcriber import UNLIKE, Transcriber

A = say(3, 1, 4, 1, 5)[0]
B = np.pad(say(None, 2, 6, 8, rest=0.15)[0], (0, len(A)))[: len(A)]
TIME = np.arange(len(A)) / RATE
HUM = (0.3 * np.sin(2 * np.pi * 50 * TIME)).astype(np.float32)
NOISE = (0.003 * np.random.default_rng(0).standard_normal((2, len(A)))).astype(np.float32)


def mixed(*channels: np.ndarray, rate: int = RATE) -> np.ndarray:
    return downmixed(np.stack(channels).astype(np.float32), rate)[0]


VOICES = {
    "opposite": (A, -A),
    "opposite, one soft": (A, -0.2 * A),
    "one silent": (A, 0 * A),
    "the first silent": (0 * A, A),
    "one of an offset": (A, 0 * A + 0.4),
    "hum on both": (A + HUM, -A + HUM),
    "opposite hum": (A + HUM, A - HUM),
    "noisy": (A + NOISE[0], -A + NOISE[1]),
    "six channels": (A, -A, 0 * A, A, -A, 0 * A),
    "three": (-A, A, -A),
}


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("make", [ears, writer])
def test_what_is_said_on_any_channel_is_heard(name: str, make) -> None:
    transcript = Transcriber.over(make())(np.stack(VOICES[name]).astype(np.float32), RATE)
    assert transcript.text == "3 1 4 1 5"
    assert transcript.notice is None


def test_mixing_is_level_true() -> None:
    for channels in ((A, A), (A, -A), (A, 0 * A), (0 * A, 0 * A, A), (A, 0 * A + 0.4)):
        np.testing.assert_allclose(np.abs(mixed(*channels)), np.abs(A), atol=1e-7)


def test_channels_in_phase_are_averaged_as_ever() -> None:
    x = np.random.default_rng(1).standard_normal((1, 3 * RATE)).astype(np.float32)
    stereo = np.concatenate((x, 0.7 * x)) + 0.3 * np.random.default_rng(2).standard_normal((2, 3 * RATE))
    stereo = stereo.astype(np.float32)
    np.testing.assert_array_equal(downmixed(stereo, RATE), stereo.mean(0, keepdims=True, dtype=np.float32))
    np.testing.assert_array_equal(downmixed(x, RATE), x)


@pytest.mark.parametrize("cut", [1, 999, RATE, 5 * RATE])
def test_blocks_are_mixed_as_the_whole(cut: int) -> None:
    random = np.random.default_rng(3)
    x = random.standard_normal((1, 4 * RATE + 123)).astype(np.float32)
    turned = np.where(np.arange(x.shape[1]) < 2 * RATE, x, -x)
    stereo = np.concatenate((x, turned)).astype(np.float32)
    whole = downmixed(stereo, RATE)
    if cut == 1:
        stereo, whole = stereo[:, :RATE], downmixed(stereo[:, :RATE], RATE)
    blocks = (stereo[:, i : i + cut] for i in range(0, stereo.shape[1], cut))
    np.testing.assert_array_equal(np.concatenate(list(Downmix(RATE).blocks(blocks)), axis=1), whole)
    assert whole.shape[1] == stereo.shape[1]


def test_polarity_that_turns_over_half_way_is_followed_without_a_jump() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)
    turned = np.where(np.arange(4 * RATE) < 2 * RATE, tone, -tone)
    found = mixed(tone, turned)
    fade = round(FADE_SECONDS * RATE)
    for piece in (slice(0, 2 * RATE - fade), slice(2 * RATE, None)):
        np.testing.assert_allclose(found[piece], tone[piece], atol=1e-6)
    assert np.abs(np.diff(found)).max() <= 1.1 * np.abs(np.diff(tone)).max()


@pytest.mark.parametrize("samples", [1, 2, 50])
def test_the_shortest_audio_is_mixed(samples: int) -> None:
    assert mixed(A[:samples], -A[:samples]).shape == (samples,)
    assert np.isfinite(mixed(0 * A[:samples], 0 * A[:samples])).all()


# --- calls ---


def test_a_call_that_is_mixed_is_told_of() -> None:
    transcriber = Transcriber.over(ears())
    assert transcriber(np.stack((A, B)), RATE).notice == UNLIKE
    assert transcriber(np.stack((A, 0.5 * A)), RATE).notice is None


@pytest.mark.parametrize("make", [ears, writer])
def test_channels_apart_give_a_transcript_of_each(make) -> None:
    transcript = Transcriber.over(make())(np.stack((A, B)), RATE, channels="apart")
    assert {name: [w.text for w in words] for name, words in transcript.voices.items()} == {
        "channel 1": ["3", "1", "4", "1", "5"],
        "channel 2": ["2", "6", "8"],
    }
    assert transcript.text == "channel 1: 3 1 4 1 5\nchannel 2: 2 6 8"
    assert transcript.notice is None


def test_turns_are_in_the_order_of_time(tmp_path: Path) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    one = np.concatenate((say(1)[0], silence, say(3)[0]))
    two = np.concatenate((silence[:RATE], say(2)[0], np.zeros(len(one) - RATE - len(say(2)[0]), np.float32)))
    soundfile.write(tmp_path / "call.wav", np.stack((one, two), 1), RATE, subtype="FLOAT")
    seen: list[float] = []
    for source in (tmp_path / "call.wav", io.BytesIO((tmp_path / "call.wav").read_bytes())):
        words = list(Transcriber.over(ears()).stream(source, channels="apart", progress=lambda s, _: seen.append(s)))
        assert [(word.voice, word.text) for word in words] == [
            ("channel 1", "1"),
            ("channel 2", "2"),
            ("channel 1", "3"),
        ]
    half = len(seen) // 2
    assert seen[:half] == sorted(seen[:half]) and np.isclose(seen[half - 1], len(one) / RATE)
    lines = list(lines_of(words))
    assert "".join(written(lines, "text")) == "channel 1: 1\nchannel 2: 2\nchannel 1: 3\n"
    assert "<v channel 2>2" in "".join(written(lines, "vtt")) and "channel 2: 2" in "".join(written(lines, "srt"))
    assert [line["speaker"] for line in json.loads("".join(written(lines, "json")))["lines"]] == [
        "channel 1", "channel 2", "channel 1",
    ]  # fmt: skip


@pytest.mark.parametrize("frames", [1000, None])
def test_progress_over_channels_only_grows(frames: int | None) -> None:
    seen: list[float] = []
    audio = np.stack((A, B))[:, :1000]
    blocks = [audio[:, :300], audio[:, 300:]]
    track = Track(RATE, 2, frames, lambda: iter(blocks))
    for channel in channels_of(track, lambda done, _: seen.append(done)):
        list(channel.blocks())
    np.testing.assert_allclose(seen, np.array([150, 500, 650, 1000]) / RATE)


def test_channels_are_mixed_or_apart() -> None:
    with pytest.raises(UsageError, match=r"^channels is one of mix, apart, not 'left'\.$"):
        Transcriber.over(ears())(A[None], RATE, channels="left")  # type: ignore[arg-type]


def test_the_command_hears_channels_apart(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.stack((A, B), 1), RATE)
    result = CliRunner().invoke(
        app, ["transcribe", str(tmp_path / "call.wav"), "--channels", "apart", "--json", "--force"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["files"][0]["status"] == "done"
    result = CliRunner().invoke(app, ["transcribe", str(tmp_path / "call.wav"), "--channels", "apart", "--separate"])
    assert result.exit_code == 2
    assert "--separate pulls voices apart that share a channel, --channels apart hears each; give one." in result.stderr
