"""SepFormer: a dual-path Transformer over a learned encoding of the waveform."""
