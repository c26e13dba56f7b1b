"""Tiny audio files of many formats, written by libsndfile and by FFmpeg, whichever of them this machine has."""

import io
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 16000
SNDFILE = (
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("RF64", "PCM_24"), ("W64", "PCM_16"),
    ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("VOC", "PCM_16"), ("PAF", "PCM_16"), ("SVX", "PCM_16"), ("NIST", "PCM_16"),
)  # fmt: skip
FFMPEG = (
    ("mp4", "aac"), ("matroska", "libopus"), ("matroska", "pcm_s16le"), ("mpegts", "aac"), ("avi", "mp3"),
    ("adts", "aac"), ("webm", "libvorbis"), ("mov", "alac"), ("asf", "wmav2"), ("tta", "tta"), ("wv", "wavpack"),
    ("ac3", "ac3"),
)  # fmt: skip


def audio_seeds(place: Path) -> list[bytes]:
    """A fifth of a second in each format."""
    wave = 0.3 * np.sin(np.arange(RATE // 5) * 0.2)
    found = []
    for kind, subtype in SNDFILE:
        file = io.BytesIO()
        try:
            soundfile.write(file, np.stack([wave, -wave], 1), RATE, subtype=subtype, format=kind)
        except (soundfile.LibsndfileError, ValueError, RuntimeError):
            continue
        found.append(file.getvalue())
    return [*found, *filter(None, (_encoded(kind, codec, wave) for kind, codec in FFMPEG))]


def _encoded(kind: str, codec: str, wave: np.ndarray) -> bytes | None:
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=RATE, layout="mono")
            for start in range(0, len(wave), 320):
                samples = (wave[start : start + 320] * 32767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, ValueError, TypeError):
        return None
    return file.getvalue()
