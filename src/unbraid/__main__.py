"""`unbraid`, and `python -m unbraid`, is the command: Ctrl-C stops it in one line, even while it is being loaded.

Whoever starts it may have closed standard input, output or error. Their numbers would go to the next files that are
opened, and what a library writes to standard error would land inside an output. So the null device takes them first.
"""

import os
import sys


def main() -> None:
    """The entry point of the `unbraid` command."""
    _occupy_standard_descriptors()
    try:
        from unbraid.cli import main as run
    except KeyboardInterrupt:  # as `cli.console` says it, which may not be there yet
        if sys.stderr is not None:
            sys.stderr.write("error: interrupted.\n")
        sys.exit(130)
    run()


def _occupy_standard_descriptors() -> None:
    """Open the null device where 0, 1 or 2 is closed; `sys.stdin` and its kin stay None, so that all know."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # another thread, or a lower one that could not be opened
                os.dup2(opened, number)
                os.close(opened)
            else:
                os.set_inheritable(number, True)


if __name__ == "__main__":
    main()
