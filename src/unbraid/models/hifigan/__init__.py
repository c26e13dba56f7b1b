"""HiFi-GAN's generator, a vocoder: a log-mel spectrogram -> a waveform."""
