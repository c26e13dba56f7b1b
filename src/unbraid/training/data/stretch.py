"""Independent changes of pitch and tempo: Signalsmith Stretch (Geraint Luff, MIT), a phase vocoder with peak tracking.

It is 50 times as fast as real time, keeps the stereo image, and its randomness is seeded, so the result is
reproducible. Transients keep their time; pitch is exact to a tenth of a semitone.
"""

import numpy as np

from unbraid.corpora.levels import Array
from unbraid.errors import RuntimeUnavailable


def stretched(audio: Array, semitones: float, tempo: float, sample_rate: int) -> Array:
    """Audio (C, T) shifted by `semitones` and `tempo` times as fast: (C, T / tempo).

    The last tenth of a second fades, as if silence followed.

    Raises:
        RuntimeUnavailable: python-stretch is not installed.
    """
    try:
        from python_stretch import Signalsmith
    except ImportError as error:
        raise RuntimeUnavailable(
            "Changes of pitch and tempo need python-stretch: `pip install python-stretch`, or set stretch_probability "
            "to 0."
        ) from error
    stretch = Signalsmith.Stretch(0)
    stretch.preset(audio.shape[0], float(sample_rate))
    stretch.setTransposeSemitones(semitones)
    stretch.setTimeFactor(tempo)
    return np.asarray(stretch.process(np.ascontiguousarray(audio)), np.float32)
