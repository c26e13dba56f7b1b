"""`unbraid`, and `python -m unbraid`, is the command: Ctrl-C stops it in one line, even while it is being loaded."""

import sys


def main() -> None:
    """The entry point of the `unbraid` command."""
    try:
        from unbraid.cli import main as run
    except KeyboardInterrupt:  # as `cli.console` says it, which may not be there yet
        sys.stderr.write("error: interrupted.\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
