"""Reading and writing audio: files, streams and their blocks as float32 (C, T), and resampling."""

from unbraid.audio.arrays import ArrayLike, as_audio, check_rate_given, checked_rate, is_array, numbers_of
from unbraid.audio.formats import OutputFormat, check_format, choose_format, formats_for, nearest_rate
from unbraid.audio.info import Audio, AudioInfo
from unbraid.audio.options import Excerpt, ReadOptions, TrackChoice
from unbraid.audio.read import Reader, probe, read
from unbraid.audio.resample import Resampler, resample, resampled_length
from unbraid.audio.source import Source, spooled
from unbraid.audio.write import StreamWriter, Writer, open_writer, write

__all__ = [
    "ArrayLike",
    "Audio",
    "AudioInfo",
    "Excerpt",
    "OutputFormat",
    "ReadOptions",
    "Reader",
    "Resampler",
    "Source",
    "StreamWriter",
    "TrackChoice",
    "Writer",
    "as_audio",
    "check_format",
    "check_rate_given",
    "checked_rate",
    "choose_format",
    "formats_for",
    "is_array",
    "nearest_rate",
    "numbers_of",
    "open_writer",
    "probe",
    "read",
    "resample",
    "resampled_length",
    "spooled",
    "write",
]
