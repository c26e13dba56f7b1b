"""The causal LSTM: recurrent layers over a short-time spectrum, whose state is passed in and out."""
