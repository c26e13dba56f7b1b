"""Wav2Vec2 and HuBERT with a CTC head: waveforms to text."""
