"""Basic Pitch: a waveform to the notes and onsets of every pitch."""
