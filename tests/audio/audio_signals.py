"""Small synthetic signals, and files made of them by encoders other than ours."""

from pathlib import Path

import numpy as np


def noise(channels: int, frames: int, seed: int = 0) -> np.ndarray:
    """Reproducible noise below a fifth of the sample rate, (C, T), independent channels, peak below 1."""
    wide = np.random.default_rng(seed).standard_normal((channels, frames + 24))
    window = np.hanning(26)[1:-1]
    smooth = np.stack([np.convolve(row, window / window.sum(), "full")[12 : 12 + frames] for row in wide])
    return (0.3 * smooth).astype(np.float32)


def lag(reference: np.ndarray, other: np.ndarray) -> int:
    """How many samples `other` is late, from the peak of the circular-free cross-correlation of channel 0."""
    size = 2 * reference.shape[1]
    spectrum = np.conj(np.fft.rfft(reference[0], size)) * np.fft.rfft(other[0], size)
    peak = int(np.argmax(np.fft.irfft(spectrum)))
    return peak if peak < size // 2 else peak - size


def encode(path: Path, audio: np.ndarray, rate: int, codec: str, container: str, **options: str) -> Path:
    """A file written by FFmpeg."""
    import av

    layout = {1: "mono", 2: "stereo", 6: "5.1"}[audio.shape[0]]
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 64000 * audio.shape[0]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def encode_video(path: Path, audio_tracks: int, rate: int = 16000) -> Path:
    """A Matroska file with a picture and so many audio tracks; track k is a constant of (k + 1) / 10."""
    import av

    with av.open(str(path), "w", format="matroska") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.width = video.height = 16
        tracks = [output.add_stream("pcm_f32le", rate=rate, layout="mono") for _ in range(audio_tracks)]
        output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        output.mux(video.encode(None))
        for number, stream in enumerate(tracks):
            samples = np.full((1, rate), (number + 1) / 10, np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
            frame.sample_rate, frame.pts = rate, 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path
