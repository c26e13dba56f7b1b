"""Who sings in a recording: separation of the vocals, embeddings of the voice, and enrolment from files and folders.

Nobody is looked for in spoken word unless that is forced, as for melodies.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, ReadOptions, Source, TrackChoice, check_rate_given, is_array
from unbraid.audio.extensions import EXTENSIONS
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError, quoted
from unbraid.files.walk import files_in
from unbraid.hub.defaults import DEFAULTS, MUSIC
from unbraid.tasks.analysis.api import SPOKEN, VOCALS, Listening, found_in_array, found_in_file
from unbraid.tasks.analysis.singer_search import Number, SingerSearch, check_number
from unbraid.tasks.analysis.singers import UNKNOWN, Singers
from unbraid.tasks.analysis.voice_pieces import VoicePieces
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.conversation.enrolment import MOST_SECONDS, check_person, enrolled_people, only_voice
from unbraid.tasks.conversation.tracking import Embedder
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.content import content_of, content_of_file
from unbraid.tasks.separation.separator import Separator


def singers_of_file(
    source: Source, search: SingerSearch, excerpt: Excerpt = Excerpt(), listening: Listening = Listening()
) -> Singers:
    """Who sings in an excerpt of a file; times are the file's.

    Raises:
        AudioError: the file cannot be read.
    """
    if not listening.force and content_of_file(source, excerpt).kind == "speech":
        return search.nobody(SPOKEN.format("singers"))
    return found_in_file(source, excerpt, listening, search.tracker)


def enrolled_singers(
    people: Iterable[tuple[str, str | Path]], embedder: Embedder, separator: Separator | None = None
) -> dict[str, FloatArray]:
    """The embedding (D,) of each name, from a file or folder of their voice; of songs from their vocals.

    A name that comes again, and a folder, are one person: the mean of all files counts.

    Raises:
        UsageError: a name cannot be shown, or is that of others; a folder has no audio file; a file is silent, has too
            little of a voice, or several voices.
        AudioError: a file cannot be read.
    """
    people, found = tuple(people), dict[str, list[FloatArray]]()
    for name, _ in people:
        check_person(name)
        if name == UNKNOWN:
            raise UsageError(f"{quoted(name)} is the name of whoever is not enrolled; give another name.")
    for name, place in people:
        found.setdefault(name, []).extend(_voice_in(path, embedder, separator) for path in _files(Path(place), name))
    sums = {name: np.sum(voices, axis=0) for name, voices in found.items()}
    return {name: np.asarray(total / max(1e-12, float(np.linalg.norm(total)))) for name, total in sums.items()}


def _files(place: Path, name: str) -> list[Path]:
    if not place.is_dir():
        return [place]
    if files := files_in(place, [f".{extension}" for extension in EXTENSIONS]):
        return files
    raise UsageError(f"{place}, to enrol {name}, has no audio file in it; name a folder with recordings of them.")


def _voice_in(path: Path, embedder: Embedder, separator: Separator | None) -> FloatArray:
    """The embedding (D,) of the only voice of a file, of which the first five minutes are heard."""
    excerpt = Excerpt(duration=MOST_SECONDS)
    is_song = separator is not None and content_of_file(path, excerpt).kind == "music"
    listening = Listening(separator if is_song else None, VOCALS if is_song else None)
    diagnostics = Diagnostics(embedder.spec.name)
    run = Run.over_file(
        path,
        excerpt,
        lambda track: listening.heard(track, VoicePieces(track.sample_rate, embedder), diagnostics),
        diagnostics,
    )
    (sung,) = run
    return only_voice(sung.voices, path)


def singers(
    recording: Source | ArrayLike,
    enrol: Mapping[str, str | Path] | None = None,
    model: str | Path = MUSIC,
    *,
    number: Number = None,
    embedder: str | Path = DEFAULTS["speaker embedding"],
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    separate: bool = True,
    force: bool = False,
    device: str = "auto",
) -> Singers:
    """Who sings when: `.passages`, each with its `speaker` and confidence, `.names`, `.singing_seconds`.

        unbraid.singers("song.mp3", {"anna": "anna.wav", "bob": "songs of bob"}).passages

    `enrol` has a file or folder of each voice; whoever else sings is "unknown". Without it, singers are told apart and
    called singer1, singer2, …: as many as there are, or as `number` says, which may also be the fewest and most.
    `model` separates the vocals first, also of songs in `enrol`; with `separate=False` recordings are voices already. A
    recording in which nobody sings has no passages and a `reason`, and so has speech, unless `force` is set. For
    `recording`, `track` and `reading` see `unbraid.separate`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: a file or folder to enrol somebody holds no voice, or several; `number` is given with `enrol`; the
            model has no stem vocals; or an array came without its sample rate, or a file with one.
    """
    check_rate_given("singers", recording, sample_rate)
    check_number(number, enrol)
    people = enrolled_people(enrol)
    with ExitStack() as opened:
        voice = opened.enter_context(SpeakerEmbedder(embedder, device=device))
        separator = opened.enter_context(Separator(model, device=device)) if separate else None
        listening = Listening(separator, VOCALS if separate else None, force or not separate)
        enrolled = enrolled_singers(people, voice, separator) if people else None
        search = SingerSearch(voice, enrolled, number)
        if not is_array(recording):
            return singers_of_file(recording, search, Excerpt(track=track, reading=reading), listening)
        assert sample_rate is not None
        if not listening.force and content_of(recording, sample_rate).kind == "speech":
            return search.nobody(SPOKEN.format("singers"))
        return found_in_array(recording, sample_rate, listening, search.tracker(sample_rate))
