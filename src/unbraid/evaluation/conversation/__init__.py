"""Evaluating separations of conversations: a track for each person, and who speaks when."""
