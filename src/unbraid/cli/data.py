"""`unbraid data`: make songs for training, and conversations for scoring."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unbraid.cli import times
from unbraid.cli.console import FAILED, guarded, notice, report_error, say
from unbraid.cli.converse import converse
from unbraid.cli.group import Group
from unbraid.cli.options import OUT, panel
from unbraid.cli.progress import Meter, clock
from unbraid.cli.times import seconds_of

if TYPE_CHECKING:
    from unbraid.corpora.rendering import Outcome

data = typer.Typer(cls=Group, rich_markup_mode="rich", no_args_is_help=True, help="Make data for training and scoring.")
_material, _output = map(panel, ("Material", "Output"))

_Midi = Annotated[list[Path], _material(metavar="FOLDER", help="MIDI files; can be given again.")]
_SoundFont = Annotated[list[Path], _material(metavar="FILE", help="A .sf2 or .sf3; can be given again.")]
_Kits = Annotated[list[Path] | None, _material(metavar="FOLDER", help="Hydrogen drum kits; can be given again.")]
_Voices = Annotated[list[Path] | None, _material(metavar="FOLDER", help="Speech or singing; can be given again.")]
_Sung = Annotated[float, _material(metavar="SHARE", help="Share of songs whose vocals are sung by processed speech.")]
_Out = Annotated[Path, _output(*OUT, metavar="DIR", help="The folder of the corpus.")]
_Split = Annotated[Literal["train", "dev", "test"], _output(help="The split that the songs are for.")]
_Songs = Annotated[int, _output(metavar="N", min=1, help="Number of songs.")]
_Seconds = Annotated[float, _output(parser=seconds_of, metavar=times.METAVAR, help="Length of a song.")]
_Seed = Annotated[int, _output(metavar="N", min=0, help="Seed: another one gives other songs.")]
_Workers = Annotated[int, _output(metavar="N", min=1, help="Songs at a time.")]
_Format = Annotated[Literal["flac", "wav"], _output("--format", help="Format of the stems, in 16 bit.")]


@data.callback()
def _data() -> None:
    """Make data for training and scoring."""


data.command()(converse)


@data.command()
def render(
    midi: _Midi,
    soundfont: _SoundFont,
    out: _Out = Path("songs"),
    kits: _Kits = None,
    voices: _Voices = None,
    sung: _Sung = 0.6,
    split: _Split = "train",
    songs: _Songs = 100,
    seconds: _Seconds = 30.0,
    seed: _Seed = 0,
    workers: _Workers = 2,
    fmt: _Format = "flac",
) -> None:
    """Render songs, stem by stem, out of MIDI files, SoundFonts, drum kits and voices; go on where it stopped.

    Writes OUT/SPLIT/song-SEED-NUMBER/{vocals,drums,bass,piano,other}.flac and song.json. Needs the program fluidsynth
    and the train extra.
    """
    with guarded():
        from unbraid.corpora.rendering import Material, Rendering, find_stock, render_songs
        from unbraid.errors import UsageError

        try:
            how = Rendering(seconds, seed, sung, fmt)
        except ValueError as error:
            raise UsageError(str(error)) from None
        material = Material(tuple(midi), tuple(soundfont), tuple(kits or ()), tuple(voices or ()))
        stock = find_stock(material, split)
        tally = Tally()
        with Meter("songs") as meter:
            for outcome in render_songs(stock, how, out / split, range(songs), workers):
                tally.add(outcome)
                meter(tally.done * seconds, songs * seconds)
        say(f"{tally.words()} in {out / split}")
        if tally.failed:
            raise typer.Exit(FAILED)


@data.command()
def speak(
    out: Annotated[Path, typer.Option(*OUT, metavar="DIR", help="The new folder.")],
    utterances: Annotated[
        int, typer.Option("--utterances", "-n", metavar="N", min=1, help="Number of utterances.")
    ] = 200,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed: another one gives other words and voices.")] = 0,
    digits: Annotated[bool, typer.Option("--digits", help="Digits, to train recognisers on.")] = False,
    phrases: Annotated[bool, typer.Option("--phrases", help="Digits and phrases, to learn speaking from.")] = False,
) -> None:
    """Synthesise made-up words in a hundred voices with espeak-ng, as material for `render --voices`.

    With --digits, strings of three to ten English digits, by flite's voices too where it is installed. With --phrases,
    strings of digits and short phrases of common words, by one voice of flite's.
    """
    with guarded():
        from unbraid.corpora import rendering
        from unbraid.errors import UsageError

        if digits and phrases:
            raise UsageError("--digits and --phrases are two different corpora; leave one of them out.")
        with Meter("utterances") as meter:
            speak = rendering.speak_digits if digits else rendering.speak_phrases if phrases else rendering.speak
            for done, _ in enumerate(speak(out, utterances, seed), 1):
                meter(done, utterances)
        say(f"{utterances} utterances are in {out}")


class Tally:
    """Counts rendered and failed songs, and prints each kind of trouble once."""

    def __init__(self) -> None:
        self.done = self.skipped = self.failed = 0
        self._seconds = 0.0
        self._parts = Counter[str]()
        self._told: set[str] = set()

    def add(self, outcome: "Outcome") -> None:
        """Count the outcome of one song."""
        self.done += 1
        self.skipped += outcome.skipped
        self.failed += outcome.error is not None
        self._seconds += outcome.seconds
        self._parts.update(outcome.parts)
        for trouble in outcome.troubles:
            if trouble not in self._told:
                self._told.add(trouble)
                notice(f"warning: {trouble}")
        if outcome.error is not None:
            report_error(f"song {outcome.number}: {outcome.error}")

    def words(self) -> str:
        """All counts, as a line."""
        made = self.done - self.skipped - self.failed
        counts = [f"{made} songs rendered"]
        counts += [f"{self.skipped} were there"] if self.skipped else []
        counts += [f"{self.failed} failed"] if self.failed else []
        parts = ", ".join(f"{name} {count}" for name, count in sorted(self._parts.items()))
        return f"{', '.join(counts)} ({clock(self._seconds)} of music{'; ' if parts else ''}{parts})"
