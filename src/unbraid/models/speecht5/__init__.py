"""SpeechT5, text to speech in any voice: characters and a vector of the speaker to a log-mel spectrogram."""
