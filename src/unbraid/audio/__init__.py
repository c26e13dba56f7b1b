"""Audio in, audio out: files, streams and blocks of them as float32 (C, T), and resampling."""

from unbraid.audio.formats import OutputFormat, check_format, choose_format, formats_for, nearest_rate
from unbraid.audio.info import Audio, AudioInfo
from unbraid.audio.options import Cut, ReadOptions, TrackChoice
from unbraid.audio.read import Reader, open_reader, probe, read
from unbraid.audio.resample import Resampler, resample, resampled_length
from unbraid.audio.source import Source, spool
from unbraid.audio.write import StreamWriter, Writer, open_writer, write

__all__ = [
    "Audio",
    "AudioInfo",
    "Cut",
    "OutputFormat",
    "ReadOptions",
    "Reader",
    "Resampler",
    "Source",
    "StreamWriter",
    "TrackChoice",
    "Writer",
    "check_format",
    "choose_format",
    "formats_for",
    "nearest_rate",
    "open_reader",
    "open_writer",
    "probe",
    "read",
    "resample",
    "resampled_length",
    "spool",
    "write",
]
