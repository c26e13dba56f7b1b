"""ECAPA-TDNN: log-mel spectrograms of speech to embeddings of the speaker."""
