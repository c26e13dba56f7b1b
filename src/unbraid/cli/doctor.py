"""`unbraid doctor`: the installation, checked."""

import dataclasses
from typing import Annotated

import typer

from unbraid.cli.console import FAILED, guarded, json_text, say


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Print versions, devices, codecs, models, the default of each command, cache and free disk, and any problems."""
    with guarded(as_json=as_json):
        from unbraid.cli.checkup import check_all

        checkup = check_all()
        if as_json:
            say(json_text(dataclasses.asdict(checkup)))
        else:
            for section, findings in checkup.sections.items():
                say(section)
                for what, value in findings.items():
                    say(f"  {what:<18} {value}")
            for problem in checkup.problems:
                say(f"wrong: {problem}")
            for missing in checkup.missing:
                say(f"missing: {missing}")
            if not checkup.problems:
                say("nothing else is wrong" if checkup.missing else "nothing is wrong")
        if checkup.problems:
            raise typer.Exit(FAILED)
