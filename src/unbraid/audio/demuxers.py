"""The containers that FFmpeg may open, and the reliability of their time stamps.

FFmpeg also has demuxers of texts that name other files or servers (HLS and DASH playlists, ffconcat, SDP, image
sequences), of devices and of filter graphs. No recording needs them, and a malicious one could make us read
other files on the disk. Hence an allow-list.
"""

import contextlib
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from unbraid.audio import mpeg_frames
from unbraid.audio.info import Unreadable
from unbraid.audio.view import opened

_AUDIO = """
    3gp aa aac aax ac3 ac4 ace adp ads adx aea afc aiff alp amr amrnb amrwb apac apc ape apm aptx aptx_hd asf asf_o
    ast au avi avr bfstm binka boa bonk brstm caf codec2 daud dcstr dfpwm dsf dss dts dtshd dv dxa eac3 epaf flac
    flv fsb fwse g722 g723_1 g729 genh gsm gxf hca hcom iamf iff ifv ilbc ircam iss kvag laf lc3 live_flv loas lvf
    lxf m4a m4v matroska mca mj2 mlp mmf mods mov mp3 mp4 mpc mpc8 mpeg mpegts mpegvideo msf mtaf mtv musx mxf
    nistsphere nsp nut ogg oma osq paf pmp psxstr pva pvf qcp qoa r3d redspark rka rl2 rm roq rpl rsd rso s337m sbc
    sdns sdr2 sds sdx shn siff smjpeg sol sox spdif svag svs swf tak thp truehd tta ty vag voc vqf w64 wady wav
    wavarc webm wsaud wsd wtv wv wve xa xmd xvag xwma
"""
ALLOWED = frozenset(_AUDIO.split())
FROM_ZERO = frozenset(("matroska", "mov"))  # whose time begins at zero, when they were not cut out of a live stream
TIMED = FROM_ZERO | {"mpegts", "mpeg", "flv", "live_flv", "asf", "asf_o", "nut", "ogg", "mxf", "rm", "wtv", "gxf"}
JUMPING = frozenset(("mpegts", "mpeg", "flv", "live_flv"))  # whose clock may be set anew where recordings were joined
NUMBERED = frozenset(("flac",))  # whose frames are numbered, so that each gap is damage
PACKED = frozenset(("mp3", "aac", "ac3", "eac3", "dts", "loas"))  # frame after frame: a gap shows in the bytes only


def names_of(container: str) -> frozenset[str]:
    """The names of a container that FFmpeg calls "mov,mp4,m4a,3gp,3g2,mj2"."""
    return frozenset(container.split(","))


_OPTIONS = {
    "format_whitelist": ",".join(sorted(ALLOWED)),
    "protocol_whitelist": "file",  # no file may pull in others by network
    "enable_drefs": "0",  # nor, as QuickTime does, from elsewhere on the disk
    "use_absolute_path": "0",
}


def open_container(source: Path | BinaryIO) -> InputContainer:
    """A file open in FFmpeg.

    Raises:
        Unreadable: it is none of the containers that are allowed.
    """
    if not isinstance(source, Path):
        source.seek(0)
    try:
        # "file:" keeps a colon in a path from being taken for a protocol
        target = f"file:{source}" if isinstance(source, Path) else source
        return av.open(target, "r", options=_OPTIONS, metadata_errors="replace")
    except av.InvalidDataError as error:
        with contextlib.suppress(av.FFmpegError, ValueError, OSError):
            return _as_mp3(source, target)
        raise Unreadable(error.strerror or str(error)) from None
    except (av.FFmpegError, ValueError, OSError) as error:
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from None


def _as_mp3(source: Path | BinaryIO, target: str | BinaryIO) -> InputContainer:
    """An mp3 of a few frames, too short for FFmpeg to recognise."""
    with opened(source) as file:
        file.seek(0)
        is_mp3 = mpeg_frames.is_mpeg(file)
        file.seek(0)
    if not is_mp3:
        raise ValueError("it is no mp3")
    return av.open(target, "r", format="mp3", options=_OPTIONS, metadata_errors="replace")
