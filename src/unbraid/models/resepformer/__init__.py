"""RE-SepFormer: a SepFormer that attends across averages of its chunks instead of across all their frames."""
