"""Names: what is in the catalogue, where it is found, what is said when it is not, what an import may be called."""

import dataclasses
import hashlib
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hub_helpers import PINNED, SPEECH, SPLEETER, a_spec
from hypothesis import given, settings
from hypothesis import strategies as st

import unbraid
from unbraid.errors import ModelError, ModelNotFound, UsageError
from unbraid.files import atomic
from unbraid.hub import cache as store
from unbraid.hub import names as hub
from unbraid.hub.catalogue import catalogue, check_import_name, folder_name, nearest
from unbraid.hub.folder import open_model_folder
from unbraid.hub.importers import speechbrain_ecapa, speechbrain_hifigan
from unbraid.hub.publishers import COMMIT, HUB_FILES
from unbraid.models.audio_transformer.whisper import PUBLISHED as WHISPERS
from unbraid.models.basic_pitch.config import BasicPitchConfig
from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.config import Config
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.family import family_of, tensor_shapes
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.models.htdemucs.published import PUBLISHED as HTDEMUCS
from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.tiger.published import PUBLISHED as TIGERS
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.xvector.config import XvectorConfig

RESCUE = "speechbrain/sepformer_rescuespeech"  # whose commit is not pinned
LARGE = Wav2Vec2Config(
    features=1024, heads=16, hidden=4096, layers=24, filter_bias=True, filter_norm="layer", pre_norm=True
)

SPEAKERS = {  # family of speaker embeddings: source, sizes of the published model, files whose hashes are known
    "ecapa": ("speechbrain", EcapaConfig(), speechbrain_ecapa.FILES),
    "campplus": ("3d-speaker", CampplusConfig(), ("campplus_cn_common.bin",)),
    "speaker_resnet": ("wespeaker", SpeakerResnetConfig(), ("avg_model.pt",)),
}


def put(parent: Path, name: str) -> Path:
    """A model folder with nothing but a spec."""
    folder = parent / folder_name(name)
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(a_spec(name).to_json(), encoding="utf-8")
    return folder


def test_catalogue_is_complete() -> None:
    published = catalogue().published
    assert catalogue().packaged == (
        "speech", "speech-2", "music-4", "music-2", "music-5", "g2p", "digits", "denoise", "denoise-live",
        "speech-live", "voice",
    )  # fmt: skip
    assert sum(entry.source == "speechbrain" for entry in published.values()) == 18
    assert [name for name in published if name.startswith("spleeter:")] == [
        f"spleeter:{n}stems{variant}" for variant in ("", "-16kHz") for n in (2, 4, 5)
    ]
    assert len({folder_name(name) for name in catalogue().names()}) == len(catalogue().names())


@pytest.mark.parametrize("entry", catalogue().published.values(), ids=lambda entry: entry.name)
def test_catalogue_entry_agrees_with_itself(entry) -> None:
    if entry.source == "spleeter":
        assert entry.name in (f"spleeter:{entry.archive}", f"spleeter:{entry.archive}-16kHz")
        assert list(entry.sha256) == [f"{entry.archive}.tar.gz"] and len(entry.stems) == int(entry.archive[0])
        assert entry.bins == (1536 if entry.name.endswith("-16kHz") else 1024)
    elif entry.source == "demucs":
        kind = {"htdemucs": "4 stems", "htdemucs_ft": "4 stems, a network for each", "htdemucs_6s": "6 stems"}[
            entry.name
        ]
        config = HTDEMUCS[kind]
        assert (entry.family, entry.sample_rate, len(entry.stems)) == ("htdemucs", 44100, config.stems)
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(config).values()))
        assert len(entry.sha256) == config.networks
        assert all(re.fullmatch(rf"[0-9a-f]{{8}}-{digits}\.th", name) for name, digits in entry.sha256.items())
        assert "scientific purposes only" in entry.licence
    elif entry.source == "clearvoice":
        assert (entry.family, entry.sample_rate, entry.stems) == ("mossformer2", 16000, ("voice1", "voice2"))
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(MossFormer2Config()).values()))
        assert COMMIT.fullmatch(entry.revision or "")
        assert tuple(entry.sha256) == HUB_FILES[entry.source, entry.family]
        pointer = f"{HUB_FILES[entry.source, entry.family][1]}\n"
        assert entry.sha256["last_best_checkpoint"] == hashlib.sha256(pointer.encode()).hexdigest()
    elif entry.source == "tiger":
        config = TIGERS["films" if entry.name.endswith("DnR") else "voices"]
        assert (entry.family, len(entry.stems)) == ("tiger", config.outputs)
        assert entry.sample_rate == (44_100 if config.chosen else 16_000)
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(config).values()))
        assert COMMIT.fullmatch(entry.revision or "")
        assert entry.sha256.keys() == set(HUB_FILES["tiger", "tiger"])
    elif entry.family == "xvector":
        assert (entry.sample_rate, entry.stems, entry.revision) == (16000, (), None)
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(XvectorConfig()).values()))
    elif entry.family == "speecht5":
        assert (entry.sample_rate, entry.stems, entry.revision) == (16000, (), None)
        spoken = SpeechT5Config(
            source="text" if entry.name.endswith("tts") else "waveform",
            target="text" if entry.name.endswith("asr") else "spectrogram",
        )
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(spoken).values()))
        assert (entry.writes or "spectrogram") == spoken.writes
    elif entry.family == "hifigan":
        of_speecht5 = entry.source == "transformers"
        zeros = HifiganConfig(kernels=(8,) * 4, strides=(4,) * 4, padding="zeros", edge_frames=0)
        shapes = tensor_shapes(zeros if of_speecht5 else HifiganConfig()).values()
        assert entry.bytes == 4 * sum(math.prod(shape) for shape in shapes)
        known = {entry.name.partition("/")[2]: 16000} if of_speecht5 else speechbrain_hifigan.RATES
        assert (entry.sample_rate, entry.stems, entry.revision) == (known[entry.name.partition("/")[2]], (), None)
    elif entry.source == "transformers":
        assert (entry.sample_rate, entry.stems, entry.revision) == (16000, (), None)
        geometry: Config = Wav2Vec2Config() if "base" in entry.name else LARGE
        if whisper := WHISPERS.get(entry.name.partition("/")[2].removeprefix("whisper-")):
            geometry = whisper
        assert entry.family == family_of(geometry)
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(geometry).values()))
    elif entry.source == "wheel":
        assert (entry.family, entry.sample_rate, entry.stems) == ("basic_pitch", 22050, ())
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(BasicPitchConfig()).values()))
        assert list(entry.sha256) == [entry.archive, "nmp.onnx"]
    elif entry.family in SPEAKERS:
        source, geometry, pinned = SPEAKERS[entry.family]
        assert (entry.source, entry.sample_rate, entry.stems) == (source, 16000, ())
        assert entry.bytes == 4 * sum(map(math.prod, tensor_shapes(geometry).values()))
        assert COMMIT.fullmatch(entry.revision or "")
        assert entry.sha256.keys() == set(pinned) <= set(HUB_FILES[source, entry.family])
    else:
        assert entry.sample_rate == (16000 if "16k" in entry.name or entry.name == RESCUE else 8000)
        assert entry.stems == ("speech",) or entry.stems == tuple(f"voice{i + 1}" for i in range(len(entry.stems)))
        networks = {"sepformer": SepFormerConfig, "resepformer": ResepformerConfig}
        shapes = tensor_shapes(networks[entry.family](sources=len(entry.stems))).values()
        assert entry.bytes == 4 * sum(math.prod(shape) for shape in shapes)
        assert COMMIT.fullmatch(entry.revision or "0" * 40)  # the newest of none but those without a pin
        assert (entry.revision is None) == (entry.name in (SPEECH, RESCUE))
    digits = 8 if entry.source == "demucs" else 64
    assert all(len(digest) == digits for digest in entry.sha256.values())


def test_resolve_prefers_the_package_then_the_cache_then_a_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    monkeypatch.setattr(hub, "PACKAGED", tmp_path / "packaged")
    monkeypatch.chdir(tmp_path)
    packaged = put(tmp_path / "packaged", "speech-2")
    cached = put(cache / "models", SPLEETER)
    mine = put(cache / "models", "mine")
    at_path = put(tmp_path, "elsewhere")
    put(tmp_path, "mine")
    assert hub.resolve("speech-2") == packaged
    assert hub.resolve(SPLEETER) == cached
    assert hub.resolve("mine") == mine
    assert hub.resolve(Path("mine")) == Path("mine")
    assert hub.resolve("elsewhere") == Path("elsewhere")
    assert hub.resolve(str(at_path)) == at_path


def test_absent_published_model_is_not_fetched_but_explained() -> None:
    message = f"{PINNED} is published, but not on this machine; get it with `unbraid models pull {PINNED}`."
    with pytest.raises(ModelNotFound) as error:
        hub.resolve(PINNED)
    assert str(error.value) == message


def test_a_name_of_an_earlier_release_stands_for_the_model_in_its_place() -> None:
    assert hub.resolve("speech-3") == hub.resolve("speech")
    with pytest.raises(UsageError, match="knows already"):
        check_import_name("speech-3")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("speach-2", "did you mean speech-2 or speech or speech-live? "),
        ("spleeter:4stems-16khz", "did you mean spleeter:4stems-16kHz or "),
        ("sepformer-wsj02mix", "did you mean speechbrain/sepformer-wsj02mix or "),
        ("zzz", ""),
        ("../../etc", ""),
        ("", ""),
    ],
)
def test_unknown_name_is_answered_with_similar_ones(name: str, hint: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound) as error:
        hub.resolve(name)
    text = str(error.value)
    assert text.startswith(f"No model or folder is called {name!r}; {hint}")
    assert text.endswith("`unbraid models` lists them all.")


@pytest.mark.parametrize("file", ["avg_model.pt", "campplus_voxceleb.bin", "embedding_model.ckpt"])
def test_checkpoints_of_speaker_embeddings_are_known_as_such(file: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    with pytest.raises(ModelNotFound, match="is a published checkpoint; `unbraid models import"):
        hub.resolve(tmp_path)


def test_published_models_say_what_they_give(cache: Path) -> None:
    gives = {entry.name: entry.writes for entry in hub.entries()}
    assert (gives[PINNED], gives[SPLEETER]) == ("stems", "stems")
    assert gives["facebook/wav2vec2-base-960h"] == "text"
    assert gives["funasr/campplus"] == gives["speechbrain/spkrec-ecapa-voxceleb"] == "embedding"


def test_folders_that_are_not_models_are_explained(tmp_path: Path) -> None:
    (tmp_path / "model.index").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "song.wav").touch()
    cases = {
        tmp_path: f"{tmp_path} is a published checkpoint; `unbraid models import {tmp_path} --to NAME` converts it.",
        tmp_path / "empty": f"{tmp_path / 'empty'} is not a model folder: it has no spec.json.",
        tmp_path / "song.wav": f"{tmp_path / 'song.wav'} is not a folder; give a model folder, or a name that "
        "`unbraid models` lists.",
        tmp_path / "no": f"{tmp_path / 'no'} does not exist; give a model folder, or a name that "
        "`unbraid models` lists.",
    }
    for path, message in cases.items():
        with pytest.raises(ModelNotFound) as error:
            hub.resolve(path)
        assert str(error.value) == message


def test_entries_say_where_a_model_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    monkeypatch.setattr(hub, "PACKAGED", tmp_path / "packaged")
    put(tmp_path / "packaged", "music-2")
    folder = put(cache / "models", SPLEETER)
    (cache / "models" / ".new-1").mkdir()
    (cache / "models" / "broken").mkdir()
    found = {entry.name: entry for entry in hub.entries()}
    assert (found["music-2"].where, found[SPLEETER].where, found[SPEECH].where) == ("packaged", "cached", "published")
    assert found[SPLEETER].folder == folder
    assert found[SPLEETER].bytes == (folder / "spec.json").stat().st_size
    assert found[SPEECH].folder is None
    assert len(found) == len(catalogue().published) + 1
    assert hub.damaged() == {
        cache / "models" / "broken": f"{cache / 'models' / 'broken'} is not a model folder: it has no spec.json."
    }
    assert hub.models_with_stem("vocals")[:2] == ["music-2", SPLEETER]
    assert hub.models_with_stem("piano") == ["spleeter:5stems", "spleeter:5stems-16kHz", "htdemucs_6s"]


@pytest.mark.parametrize("name", ["my-4stems", "a", "Take_2.1", "9lives"])
def test_plain_names_can_be_imported_to(name: str) -> None:
    check_import_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("speech-2", "is the name of a model that unbraid knows already; choose another name."),
        ("Music-4", "is the name of a model that unbraid knows already; choose another name."),
        (SPLEETER, "is the name of a model that unbraid knows already; choose another name."),
        ("me/mine", "has the form of a published name; choose one of letters, digits, '.', '_' and '-' only."),
        *(
            (
                name,
                "cannot name a model; start with a letter or digit and use at most 100 letters, digits, '.', "
                "'_' and '-', no '--', no '.' at the end, and no device name of Windows.",
            )
            for name in ("", ".hidden", "-m", "a b", "a--b", "dot.", "con", "LPT1.x", "naïve", "a\\b", "x" * 101, "a\n")
        ),
    ],
)
def test_other_names_are_refused(name: str, reason: str) -> None:
    with pytest.raises(UsageError) as error:
        check_import_name(name)
    assert str(error.value) == f"{name!r} {reason}"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_an_accepted_name_is_one_safe_folder(name: str) -> None:
    try:
        check_import_name(name)
    except UsageError:
        return
    assert folder_name(name) == name == Path(name).name
    assert not set(name) & set('<>:"/\\|?* ')


def test_nearest_ignores_case_and_finds_parts() -> None:
    known = catalogue().names()
    assert nearest("SPEECH-2", known)[0] == "speech-2"
    assert set(nearest("music", known)) == {"music-2", "music-4", "music-5"}
    assert nearest("q", known) == []


def test_import_reads_writes_and_refuses_to_overwrite(converter, tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "4stems"
    source.mkdir()
    (source / "model.index").write_bytes(b"index")
    folder = hub.import_model(source, "mine")
    assert folder == cache / "models" / "mine" == hub.resolve("mine")
    with pytest.raises(UsageError) as error:
        hub.import_model(source, "mine")
    assert str(error.value) == "There is a model called 'mine' already; choose another name, or use --overwrite."
    (folder / "old").touch()
    hub.import_model(source, "mine", overwrite=True)
    assert sorted(file.name for file in (cache / "models").rglob("*")) == ["mine", "spec.json"]


def test_import_that_fails_leaves_the_old_model_and_nothing_else(converter, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "4stems").mkdir()
    hub.import_model(tmp_path / "4stems", "mine")
    converter.refuse = True
    with pytest.raises(ModelError, match=r"tensor 'x' is missing\."):
        hub.import_model(tmp_path / "4stems", "mine", overwrite=True)
    assert sorted(file.name for file in (cache / "models").rglob("*")) == ["mine", "spec.json"]
    with pytest.raises(ModelNotFound) as error:
        hub.import_model(tmp_path / "no", "other")
    assert str(error.value) == (
        f"{tmp_path / 'no'} is not a folder; give the folder that holds the checkpoint's files."
    )
    with pytest.raises(ModelError) as again:
        hub.import_model(hub.resolve("mine"), "other")
    assert str(again.value).endswith("is a model folder already; use it by its path, there is nothing to import.")


def test_remove(cache: Path) -> None:
    put(cache / "models", SPLEETER)
    hub.remove(SPLEETER)
    assert list((cache / "models").iterdir()) == []
    for name in (SPLEETER, "..", "../models"):
        with pytest.raises(ModelNotFound) as error:
            hub.remove(name)
        assert str(error.value) == f"{name} is not in the cache, so there is nothing to remove."
    with pytest.raises(UsageError, match="part of the package"):
        hub.remove("speech-2")


def test_int8_copies_go_with_the_last_model_that_has_the_weights(cache: Path) -> None:
    def named(name: str, weights: str) -> None:
        folder = put(cache / "models", name)
        spec = dataclasses.replace(a_spec(name), files={"model.safetensors": weights})
        (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")

    for name, weights in (("one", "a" * 64), ("two", "a" * 64), ("three", "b" * 64)):
        named(name, weights)
    copies = [store.int8_folder() / f"{letter * 64}-{making}" for letter in "ab" for making in ("1", "2")]
    for copy in copies:
        copy.mkdir(parents=True)
        (copy / "model.int8.onnx").touch()
    hub.remove("one")
    assert sorted(store.int8_folder().iterdir()) == copies
    hub.remove("two")
    assert sorted(store.int8_folder().iterdir()) == copies[2:]
    hub.remove("three")
    assert list(store.int8_folder().iterdir()) == []


def test_importing_over_a_model_deletes_its_int8_copy(goldens: Path, cache: Path) -> None:
    first = open_model_folder(hub.import_model(goldens / "speechbrain_2spk", "mine"))
    copy = store.int8_folder() / f"{first.files['model.safetensors']}-x"
    copy.mkdir(parents=True)
    hub.import_model(goldens / "speechbrain_2spk", "mine", overwrite=True)  # the same weights
    assert copy.is_dir()
    hub.import_model(goldens / "spleeter_2stems", "mine", overwrite=True)
    assert not copy.exists()


@pytest.mark.parametrize("model", [None, 3, b"speech-2", ["speech-2"]])
def test_what_is_neither_name_nor_path(model: object) -> None:
    for open_it in (hub.resolve, unbraid.Separator):
        with pytest.raises(UsageError) as error:
            open_it(model)  # type: ignore[operator]
        assert str(error.value) == (
            f"A model is a name that `unbraid models` lists, or the path of a folder, not {model!r}."
        )


def test_a_folder_that_cannot_appear_leaves_the_old_one_when_the_disk_refuses(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(cache / "models", "mine")
    rename = os.rename

    def refusing(source: Path, destination: Path) -> None:
        if Path(destination) == folder and Path(source).parent != folder.parent:  # else it is put back
            raise PermissionError(13, "Permission denied")
        rename(source, destination)

    monkeypatch.setattr(atomic, "exchange", lambda one, other: False)  # as on disks that cannot
    monkeypatch.setattr(os, "rename", refusing)
    with pytest.raises(PermissionError), store.appearing(folder):
        pass
    assert [file.name for file in (cache / "models").iterdir()] == ["mine"]
    assert (folder / "spec.json").is_file()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".cache/unbraid"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/unbraid"),
        ("darwin", {}, "Library/Caches/unbraid"),
        ("win32", {}, "AppData/Local/unbraid"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/unbraid"),
        ("linux", {"UNBRAID_CACHE": "~/models"}, "models"),
    ],
)
def test_cache_folder(platform: str, variables: dict[str, str], expected: str, monkeypatch, tmp_path: Path) -> None:
    for name in ("UNBRAID_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert store.cache_folder() == tmp_path / expected


def test_import_of_the_hub_is_light() -> None:
    code = (
        "import sys, unbraid.hub.names; "
        "print([m for m in ('huggingface_hub', 'httpx2', 'numpy', 'torch', 'filelock') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
