"""Inputs and outputs of the commands: names, places, records."""
