"""`unbraid data converse`: draw conversations from recordings of single speakers."""

from pathlib import Path
from typing import Annotated

import typer

from unbraid.cli import times
from unbraid.cli.console import FAILED, guarded, report_error, say
from unbraid.cli.options import OUT, panel
from unbraid.cli.progress import Meter, clock
from unbraid.cli.set_aside import warnings_told
from unbraid.cli.times import seconds_of
from unbraid.errors import UsageError

_talk, _noise, _output = map(panel, ("Conversations", "Noise", "Output"))

_Speech = Annotated[
    Path, typer.Argument(metavar="SPEECH", help="Recordings of single speakers, in any of the layouts of speech.")
]
_Split = Annotated[str, _talk(metavar="NAME", help="The split of the speakers: train, dev, test.")]
_Count = Annotated[int, _talk("--conversations", "-n", metavar="N", min=1, help="Number of conversations.")]
_People = Annotated[str, _talk(metavar="N|A-B", help="People in each; of a range, every number in turn. At most 6.")]
_Minutes = Annotated[str, _talk(metavar="M|A-B", help="Length of each, in minutes.")]
_Overlap = Annotated[
    float, _talk(metavar="SHARE", help="The share of the time of speech in which several speak, 0 to 0.4.")
]
_LongestTurn = Annotated[
    float,
    _talk(
        parser=seconds_of,
        metavar=times.METAVAR,
        help="Longer recordings are cut where it is quiet, and lose their text.",
    ),
]
_Spread = Annotated[float, _talk(metavar="DB", help="People's levels lie within ± this.")]
_Rooms = Annotated[bool, _talk("--rooms", help="Everybody at a place in a simulated room (needs the train extra).")]
_Noise = Annotated[Path | None, _noise("--noise", metavar="FOLDER", help="Add noises of this folder.")]
_Snr = Annotated[float | None, _noise(metavar="DB", help="How far the noise is below a person of average level.")]
_NoiseSplit = Annotated[str | None, _noise(metavar="NAME", help="Which noises of the folder. (default: as --split)")]
_Seed = Annotated[int, _output(metavar="N", min=0, help="Seed: another one gives other conversations.")]
_Rate = Annotated[int, _output("--sample-rate", metavar="HZ", help="Sample rate of the files.")]
_Out = Annotated[Path, _output(*OUT, metavar="DIR", help="The folder of the corpus.")]


def converse(
    speech: _Speech,
    split: _Split = "test",
    conversations: _Count = 10,
    people: _People = "2",
    minutes: _Minutes = "20",
    overlap: _Overlap = 0.2,
    longest_turn: _LongestTurn = 10.0,
    spread: _Spread = 3.0,
    rooms: _Rooms = False,
    noise: _Noise = None,
    snr: _Snr = None,
    noise_split: _NoiseSplit = None,
    seed: _Seed = 0,
    sample_rate: _Rate = 8000,
    out: _Out = Path("conversations"),
) -> None:
    """Draw conversations, in which people take turns, pause and talk at once; go on where it stopped.

    Writes OUT/SPLIT/conversation-SEED-NUMBER/ with mixture.flac, everybody alone in speaker-ID.flac, who speaks when
    in speakers.rttm, and who says what in conversation.json. `unbraid evaluate MODEL OUT --conversations` scores them.
    """
    with guarded(), warnings_told():
        from unbraid.corpora.conversing import Conversing, draw_conversations, find_material

        if (noise is None) != (snr is None):
            raise UsageError("--noise and --snr belong together: a folder of noises, and how many dB below the voices.")
        if noise_split is not None and noise is None:
            raise UsageError("--noise-split says which clips of --noise are used; give a folder of noises too.")
        least, most = _range("--people", people)
        if not (least.is_integer() and most.is_integer()):
            raise UsageError(f"--people takes a whole number or a range of them, such as 2 or 2-4, not {people!r}.")
        try:
            how = Conversing(
                (int(least), int(most)), _range("--minutes", minutes), overlap, rooms, snr, spread, longest_turn,
                sample_rate, seed,
            )  # fmt: skip
        except ValueError as error:
            raise UsageError(str(error)) from None
        material = find_material(speech, split, how, noise, noise_split)
        skipped, failed, seconds = 0, 0, 0.0
        with Meter("conversations") as meter:
            for done, outcome in enumerate(draw_conversations(material, how, out / split, range(conversations)), 1):
                skipped, seconds = skipped + outcome.skipped, seconds + outcome.seconds
                if outcome.error is not None:
                    failed += 1
                    report_error(f"conversation {outcome.number}: {outcome.error}")
                meter(done, conversations)
        told = [f"{conversations - skipped - failed} conversations drawn"]
        told += [f"{skipped} were there"] if skipped else []
        told += [f"{failed} failed"] if failed else []
        say(f"{', '.join(told)} ({clock(seconds)}) in {out / split}")
        if failed:
            raise typer.Exit(FAILED)


def _range(option: str, given: str) -> tuple[float, float]:
    """The ends of "2" or "2-4"."""
    low, _, high = given.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise UsageError(f"{option} takes a number or a range, such as 2 or 2-4, not {given!r}.") from None
