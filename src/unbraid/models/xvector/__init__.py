"""X-vectors: log-mel spectrograms of speech to embeddings of the speaker."""
