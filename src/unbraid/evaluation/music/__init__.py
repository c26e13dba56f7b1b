"""Score music models on songs: uSDR and its gain over the mixture, and BSS Eval 4 on request, stem by stem."""
