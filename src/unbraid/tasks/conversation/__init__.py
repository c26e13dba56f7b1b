"""Conversations: who speaks."""
