"""Songs in each published layout: what is found, in which split, and what is said when it is not there."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import song_trees as trees
from song_trees import MUSDB, RATE, SECONDS, VALIDATION, heard, tone, write, write_song

from unbraid.corpora import SONG_LAYOUTS, Song, find_songs, read_stereo, song_seconds
from unbraid.corpora.medleydb import part_of
from unbraid.corpora.musdb import VALIDATION as VALIDATION_SONGS
from unbraid.errors import UsageError

TREES = {
    "musdb18": trees.musdb18,
    "musdb18hq": trees.musdb18hq,
    "medleydb": trees.medleydb,
    "slakh": trees.slakh,
    "stems": trees.stems,
    "spleeter": trees.spleeter,
}
SPLITS = {
    "musdb18": {"train": ["A - One"], "dev": [VALIDATION], "test": ["B - Two"]},
    "musdb18hq": {"train": ["A - One"], "dev": [VALIDATION], "test": ["B - Two"]},
    "medleydb": {"train": ["Ann_One", "Ann_Two"], "dev": ["Bob_Three"], "test": ["Cid_Four"]},
    "slakh": {"train": ["Track00001"], "dev": ["Track00002"], "test": ["Track00003"]},
    "stems": {"train": ["One"], "dev": ["Two"], "test": ["Three"]},
    "spleeter": {"train": ["One-mix"], "dev": ["Two-mix"]},
}


def names(folder: Path, split: str, layout: str = "auto") -> list[str]:
    return [song.name for song in find_songs(folder, split, layout)]


def sounds(song: Song) -> dict[str, set[str]]:
    return {part: heard(read_stereo(clips, RATE)) for part, clips in song.parts.items()}


def check(error: str, call) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == error


def test_every_layout_has_a_tree() -> None:
    assert tuple(TREES) == SONG_LAYOUTS


@pytest.mark.parametrize("layout", TREES)
def test_songs_are_found_in_their_splits(tmp_path: Path, layout: str) -> None:
    """Whether the layout is named or recognised."""
    TREES[layout](tmp_path)
    for split, expected in SPLITS[layout].items():
        assert names(tmp_path, split) == expected
        assert find_songs(tmp_path, split) == find_songs(tmp_path, split, layout)


@pytest.mark.parametrize("layout", ["musdb18", "musdb18hq", "slakh", "stems", "spleeter"])
def test_each_part_is_what_it_is_called(tmp_path: Path, layout: str) -> None:
    (song,) = find_songs(TREES[layout](tmp_path), "train")
    every = ("vocals", "drums", "bass", "piano", "other")
    expected = {"slakh": every[1:], "stems": every}.get(layout, MUSDB)
    assert sounds(song) == {part: {part} for part in expected}
    assert song_seconds(song) == pytest.approx(SECONDS, abs=0.03)
    assert (song.mixture is None) == (layout == "stems")


@pytest.mark.parametrize("layout", ["musdb18", "musdb18hq", "medleydb", "slakh", "spleeter"])
def test_the_mixture_is_the_sum_of_the_parts(tmp_path: Path, layout: str) -> None:
    for song in find_songs(TREES[layout](tmp_path), "train"):
        parts = read_stereo([clip for clips in song.parts.values() for clip in clips], RATE)
        mixture = read_stereo([song.mixture], RATE)
        middle = slice(4000, -4000)
        tolerance = 0.02 if layout == "musdb18" else 1e-3  # AAC
        np.testing.assert_allclose(mixture[:, middle], parts[:, middle], atol=tolerance)


def test_the_published_songs_to_choose_on_are_no_longer_in_train(tmp_path: Path) -> None:
    trees.musdb18hq(tmp_path)
    assert len(VALIDATION_SONGS) == 14
    assert names(tmp_path, "valid") == names(tmp_path, "dev") == [VALIDATION]
    assert names(tmp_path, "training") == names(tmp_path, "train") == ["A - One"]


def test_musdb_without_them_is_a_folder_of_stems(tmp_path: Path) -> None:
    shutil.rmtree(trees.musdb18hq(tmp_path) / "train" / VALIDATION)
    assert names(tmp_path, "train") == ["A - One"]
    write_song(tmp_path / "valid" / "Mine", MUSDB)
    assert names(tmp_path, "dev") == ["Mine"]


def test_what_medleydb_calls_parts(tmp_path: Path) -> None:
    found = {
        song.name: song for split in ("train", "dev", "test") for song in find_songs(trees.medleydb(tmp_path), split)
    }
    counted = {name: {part: len(clips) for part, clips in song.parts.items()} for name, song in found.items()}
    assert counted == {
        "Ann_One": {"vocals": 1, "drums": 1, "bass": 1, "piano": 1},
        "Ann_Two": {"vocals": 2, "other": 2},
        "Bob_Three": {"bass": 1, "other": 1},
        "Cid_Four": {"drums": 1, "piano": 1},
    }
    assert [part_of(name) for name in ("Auxiliary Percussion", "tuba", "", None)] == [
        "drums",
        "other",
        "other",
        "other",
    ]
    assert [part_of(several) for several in (["piano", "tack piano"], ["piano", "tuba"], [])] == [
        "piano",
        "other",
        "other",
    ]


@pytest.mark.parametrize("place", ["V1", ""])
def test_where_else_medleydb_may_lie(tmp_path: Path, place: str) -> None:
    """The second release: V1 and V2, with all metadata in one folder."""
    audio = trees.medleydb(tmp_path / "there") / "Audio"
    (tmp_path / "Metadata").mkdir()
    for song in audio.iterdir():
        (song / f"{song.name}_METADATA.yaml").rename(tmp_path / "Metadata" / f"{song.name}_METADATA.yaml")
        shutil.move(song, tmp_path / place / song.name)
    shutil.rmtree(tmp_path / "there")
    assert {split: names(tmp_path, split) for split in ("train", "dev", "test")} == SPLITS["medleydb"]


def test_babyslakh_has_no_splits_and_calls_nothing_rendered(tmp_path: Path) -> None:
    trees.babyslakh(tmp_path)
    songs = [song for split in ("train", "dev", "test") for song in find_songs(tmp_path, split)]
    assert sorted(song.name for song in songs) == ["Track00001", "Track00002", "Track00003"]
    assert all(len(song.parts["other"]) == 2 and song.mixture.path.name == "mix.wav" for song in songs)


def test_songs_without_folders_of_splits_are_divided_by_their_names(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / f"song{number}" / "vocals.wav", tone("vocals", 0.01))
    splits = {split: names(tmp_path, split) for split in ("train", "dev", "test")}
    assert {split: len(some) for split, some in splits.items()} == {"train": 16, "dev": 2, "test": 2}
    assert sorted(name for some in splits.values() for name in some) == sorted(f"song{number}" for number in range(20))
    moved = tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert {split: names(moved, split) for split in splits} == splits


def test_what_makes_a_song(tmp_path: Path) -> None:
    """Any format, any case, and an accompaniment where nothing else is told apart; other files do not matter."""
    write(tmp_path / "test" / "a" / "Vocals.FLAC", tone("vocals"))
    write(tmp_path / "test" / "a" / "accompaniment.wav", tone("other"))
    write(tmp_path / "test" / "a" / "._drums.wav", tone("drums"))
    write(tmp_path / "test" / "a" / "guitar.wav", tone("other"))
    (tmp_path / "test" / "a" / "song.json").write_text("{}")
    write_song(tmp_path / "test" / "b", ("drums",))
    write(tmp_path / "test" / "b" / "accompaniment.wav", tone("other"))
    write(tmp_path / "test" / "c" / "mixture.wav", tone("other"))
    write_song(tmp_path / "test" / ".d", ("drums",))
    assert [sounds(song) for song in find_songs(tmp_path, "test")] == [
        {"vocals": {"vocals"}, "other": {"other"}},
        {"drums": {"drums"}},
    ]


def test_spleeters_tables_for_two_stems_and_for_others(tmp_path: Path) -> None:
    for part in ("mix", "vocals", "accompaniment", "guitar"):
        write(tmp_path / "tables" / part / "x.wav", tone("vocals" if part == "vocals" else "other"))
    rows = {
        "mix_path,vocals_path,accompaniment_path,duration\nmix/x.wav,vocals/x.wav,accompaniment/x.wav,0.5\n": [
            "vocals",
            "other",
        ],
        "mix_path,guitar_path,bass_path\nmix/x.wav,guitar/x.wav,\n": ["other"],
    }
    for text, parts in rows.items():
        (tmp_path / "tables" / "train.csv").write_text(text)
        (song,) = find_songs(tmp_path, "train", "spleeter")
        assert list(song.parts) == parts
        assert song.mixture.path == tmp_path / "tables" / "mix" / "x.wav"


def test_songs_of_a_table_are_called_by_their_folders_or_else_by_their_files(tmp_path: Path) -> None:
    for name in ("One/mixture", "Two/mixture", "a/One/mixture", "b/One/mixture"):
        write(tmp_path / f"{name}.wav", tone("other"))
    for paths, expected in (
        (("One/mixture", "Two/mixture"), ["One", "Two"]),
        (("a/One/mixture", "b/One/mixture"), ["a/One/mixture.wav", "b/One/mixture.wav"]),
    ):
        rows = "\n".join(f"{path}.wav,{path}.wav" for path in paths)
        (tmp_path / "train.csv").write_text(f"mix_path,vocals_path\n{rows}\n")
        assert names(tmp_path, "train", "spleeter") == expected


def test_what_is_not_there(tmp_path: Path) -> None:
    check(
        "There is no layout 'wavs' of songs; choose auto, musdb18, musdb18hq, medleydb, slakh, stems, spleeter.",
        lambda: find_songs(tmp_path, "train", "wavs"),
    )
    check(
        f"There is no folder {tmp_path}/no. Name the folder that holds the songs.",
        lambda: find_songs(tmp_path / "no", "train"),
    )
    check(
        f"{tmp_path} holds no songs in a layout that is known. Looked for musdb18: {{train,test}}/SONG.stem.mp4; "
        f"musdb18hq: {{train,test}}/SONG/{{mixture,drums,bass,other,vocals}}.wav; "
        f"medleydb: [Audio/]SONG/{{SONG_MIX.wav,SONG_METADATA.yaml,SONG_STEMS/*.wav}}; "
        f"slakh: [SPLIT/]TRACK/{{mix,stems/S00}}.{{flac,wav}} and metadata.yaml; "
        f"stems: [SPLIT/]SONG/{{vocals,drums,bass,piano,other}}.{{wav,flac,ogg,mp3,m4a,...}}; "
        f"spleeter: *_SPLIT.csv with columns mix_path, vocals_path and so on.",
        lambda: find_songs(tmp_path, "train"),
    )
    trees.slakh(tmp_path)
    check(
        f"{tmp_path} has no song of the split 'omitted' in the layout slakh; looked for "
        f"[SPLIT/]TRACK/{{mix,stems/S00}}.{{flac,wav}} and metadata.yaml. Splits are train, dev and test, or the "
        f"corpus's own names.",
        lambda: find_songs(tmp_path, "omitted"),
    )


def test_too_few_songs_to_divide(tmp_path: Path) -> None:
    write_song(tmp_path / "one", ("drums",))
    assert names(tmp_path, "test") == ["one"]
    check(
        f"{tmp_path} has too few songs (1) for train, dev and test to have one each; nothing is left for train. "
        f"Add some, or ask for test, which is filled first.",
        lambda: find_songs(tmp_path, "train"),
    )


def test_two_recordings_of_a_part(tmp_path: Path) -> None:
    write(write_song(tmp_path / "train" / "one", ("drums",)) / "drums.flac", tone("drums"))
    check(
        f"{tmp_path}/train/one holds both drums.flac and drums.wav; each part is one recording. Take one of them out.",
        lambda: find_songs(tmp_path, "train"),
    )


def test_metadata_that_cannot_be_used(tmp_path: Path) -> None:
    track = trees.slakh(tmp_path / "slakh") / "train" / "Track00001"
    path = track / "metadata.yaml"
    good = path.read_text()
    for text, error in (
        ("a: 1\nb: [\n", f"{path}, line 3 is not YAML: did not find expected node content."),
        ("stems: [1]\n", f"{path} has no list `stems` that says what each stem holds."),
        ("", f"{path} has no list `stems` that says what each stem holds."),
    ):
        path.write_text(text)
        check(f"{error} Get the file anew, or take the song out.", lambda: find_songs(tmp_path / "slakh", "train"))
    path.write_text(good)
    (track / "stems" / "S01.flac").unlink()
    check(
        f"There is no {track}/stems/S01.flac or .wav, which metadata.yaml there says was rendered. "
        f"Get the whole song, or take it out.",
        lambda: find_songs(tmp_path / "slakh", "train"),
    )
    song = trees.medleydb(tmp_path / "medley") / "Audio" / "Ann_One"
    stem = song / "Ann_One_STEMS" / "Ann_One_STEM_02.wav"
    stem.unlink()
    check(
        f"There is no {stem}, which {song}/Ann_One_METADATA.yaml names as stem S02. "
        f"Get the whole song, or take it out.",
        lambda: find_songs(tmp_path / "medley", "train"),
    )
    (song / "Ann_One_METADATA.yaml").unlink()
    check(
        f"There is no {song}/Ann_One_METADATA.yaml, which says what each stem holds. "
        f"Get the file anew, or take the song out.",
        lambda: find_songs(tmp_path / "medley", "train"),
    )


def test_tables_that_cannot_be_used(tmp_path: Path) -> None:
    trees.spleeter(tmp_path)
    table = tmp_path / "musdb_train.csv"
    for content, error in (
        (
            b"mix_path,vocals_path\naudio/One-mix.wav,audio/One-vocals.wav\nno.wav,x.wav\n",
            f"{table}, line 3: there is no no.wav in {tmp_path}. Paths are relative to the folder.",
        ),
        (b"mix_path,vocals_path\n,x.wav\n", f"{table} has nothing in column mix_path of line 2; fill it in."),
        (
            b"mix_path,vocals_path\naudio/One-mix.wav,\n",
            f"{table}, line 2 names no stems; give at least one, as vocals_path.",
        ),
        (b"mix_path,vocals_path\n\xff\xfe,x\n", f"{table} cannot be read after line 0: not in UTF-8. Repair it."),
    ):
        table.write_bytes(content)
        check(error, lambda: find_songs(tmp_path, "train"))
    (tmp_path / "more_validation.csv").write_text("mix_path,vocals_path\n")
    check(
        f"{tmp_path} has more_validation.csv and musdb_validation.csv for the split dev; there may be one. "
        f"Move the others away.",
        lambda: find_songs(tmp_path, "dev"),
    )


def test_real_songs(songs: Path) -> None:
    """Folders of stems in Ogg Vorbis, with parts missing here and there."""
    for split in ("train", "dev", "test"):
        for song in find_songs(songs, split):
            assert {"vocals", "drums", "other"} <= song.parts.keys()
            assert song_seconds(song) > 60
            piece = read_stereo(song.parts["drums"], RATE, 30.0, 2.0)
            assert piece.shape == (2, 2 * RATE)
            assert np.isfinite(piece).all()
