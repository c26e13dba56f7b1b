"""The tasks that a recipe can train."""
