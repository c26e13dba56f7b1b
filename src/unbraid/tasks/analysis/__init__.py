"""Analysis of songs: the melody of the voice, and the notes of a stem."""
