"""Conversations: who speaks when, and a track for each person."""
