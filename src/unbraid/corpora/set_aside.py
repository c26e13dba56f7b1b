"""The warning about a recording of a corpus that cannot be used, and that training or scoring goes on without."""


class SetAside(UserWarning):
    """A recording that is left out, and why."""
