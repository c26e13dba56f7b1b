"""What a format holds is known before work starts, and a refusal names the formats that would do."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.audio import AudioInfo, OutputFormat, check_format, choose_format, formats_for, nearest_rate
from unbraid.audio.formats import LIMITS
from unbraid.errors import AudioError, UsageError

TO = "or resample to {} Hz (--resample)."
PCM16 = AudioInfo(44100, 2, 100, 0.1, "wav", "pcm_16", 16, False, False)


def source(bits: int | None, is_float: bool = False) -> AudioInfo:
    return dataclasses.replace(PCM16, bits=bits, is_float=is_float, lossy=bits is None)


@pytest.mark.parametrize(
    ("info", "wav", "flac"),
    [
        (source(8), "16", "16"),
        (source(16), "16", "16"),
        (source(20), "24", "24"),
        (source(24), "24", "24"),
        (source(32), "32f", "24"),
        (source(32, is_float=True), "32f", "24"),
        (source(64, is_float=True), "32f", "24"),
        (source(None), "16", "16"),
        (None, "32f", "24"),
    ],
)
def test_bit_depth_follows_the_source(info: AudioInfo | None, wav: str, flac: str) -> None:
    assert choose_format("wav", info) == OutputFormat("wav", wav)
    assert choose_format(".FLAC", info) == OutputFormat("flac", flac)
    assert choose_format("wav", info, subtype="24").subtype == "24"
    assert choose_format("mp3", info).lossy


def test_only_float_holds_more_than_full_scale() -> None:
    assert not choose_format("wav").clips
    assert choose_format("wav", PCM16).clips
    assert choose_format("opus").clips


def refused(message: str, *request: object, **options: object) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        choose_format(*request, **options)  # type: ignore[arg-type]


def test_impossible_requests() -> None:
    refused("There is no output format 'wma'; choose wav, flac, ogg, opus, mp3 or m4a.", "wma")
    refused("There is no subtype '8' in wav; choose 16, 24 or 32f.", "wav", subtype="8")
    refused("There is no subtype '32f' in flac; choose 16 or 24.", "flac", subtype="32f")
    refused("There is no subtype '16' in mp3; it is a lossy format and has none.", "mp3", subtype="16")
    refused("A bit rate of 500 kbit/s is not possible in mp3; choose 8 to 320.", "mp3", bitrate=500)
    refused("A bit rate of 500 kbit/s is not possible in flac; it is lossless.", "flac", bitrate=500)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "message"),
    [
        ("opus", 44100, 2, "opus cannot hold 44100 Hz. Write wav, flac, ogg, mp3 or m4a instead, " + TO.format(48000)),
        ("mp3", 96000, 1, "mp3 cannot hold 96000 Hz. Write wav, flac, ogg or m4a instead, " + TO.format(48000)),
        ("m4a", 192000, 1, "m4a cannot hold 192000 Hz. Write wav, flac or ogg instead, " + TO.format(96000)),
        ("mp3", 44100, 6, "mp3 holds at most 2 channels, not 6. Write wav, flac, ogg or m4a instead."),
        ("opus", 48000, 5, "opus holds 1, 2, 3, 4, 6 or 8 channels, not 5. Write wav, flac, ogg or m4a instead."),
        ("flac", 48000, 12, "flac holds at most 8 channels, not 12. Write wav instead."),
    ],
)
def test_what_cannot_be_held_is_refused_with_a_way_out(name: str, rate: int, channels: int, message: str) -> None:
    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        check_format(choose_format(name), rate, channels)


def test_mp3_bit_rates_too_low_to_state_a_length_are_refused() -> None:
    message = (
        "mp3 at 16000 Hz with 1 channel cannot state its length in 32 kbit/s. "
        "Use a bit rate of 40 or more (--bitrate), or write ogg or m4a."
    )
    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        check_format(choose_format("mp3", bitrate=32), 16000, 1)
    check_format(choose_format("mp3", bitrate=40), 16000, 1)


@given(name=st.sampled_from(sorted(LIMITS)), rate=st.integers(1, 400000))
def test_nearest_rate_is_held_and_none_held_is_nearer(name: str, rate: int) -> None:
    near = nearest_rate(name, rate)
    assert name in formats_for(near, 1)
    known = {7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 192000, 655350}
    held = [other for other in known | set(range(max(1, rate - 10), rate + 11)) if name in formats_for(other, 1)]
    assert abs(near - rate) == min(abs(other - rate) for other in held)


def test_nearest_rates_people_ask_for() -> None:
    assert [nearest_rate("opus", rate) for rate in (8000, 11025, 22050, 44100, 96000)] == [
        8000,
        12000,
        24000,
        48000,
        48000,
    ]
    assert nearest_rate("mp3", 88200) == 48000
    assert nearest_rate("flac", 44100) == 44100
