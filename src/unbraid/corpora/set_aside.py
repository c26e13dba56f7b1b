"""The warning about an unusable recording of a corpus; training or scoring continues without it."""


class SetAside(UserWarning):
    """A recording that is left out, with the reason."""
