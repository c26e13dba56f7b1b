"""Missing published models: offered on a terminal, never downloaded unasked; and the choice of `transcribe`."""

from collections.abc import Callable
from pathlib import Path

import pytest

import unbraid.cli.offers
from unbraid.cli.offers import needed
from unbraid.errors import DownloadError
from unbraid.hub.catalogue import catalogue, folder_name
from unbraid.hub.names import resolve
from unbraid.hub.spec import ModelSpec, Vocabularies, Windows
from unbraid.hub.tokens import Tokens
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.audio_transformer.whisper import whisper_config
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.tasks.transcription.dictation import dictation_models

NAME = "facebook/wav2vec2-base-960h"
QUESTION = f"{NAME} (378 MB, Apache-2.0) is published, but not on this machine. Download now? [y/N] "


@pytest.fixture
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of models that are downloaded: tiny ones take their place."""
    names: list[str] = []

    def pull(name: str, **_: object) -> Path:
        names.append(name)
        here(tmp_path, name)
        return resolve(name)

    monkeypatch.setattr("unbraid.hub.names.pull", pull)
    monkeypatch.setattr("unbraid.cli.transcription.run", lambda request, *_, **__: resolve(request.model))
    return names


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody can answer."""
    monkeypatch.setattr(unbraid.cli.offers, "can_answer", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_a_question_names_size_and_licence_and_yes_downloads(
    unbraid_command: Callable, tone: Callable, pulled: list[str]
) -> None:
    tone("a.wav")
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, stdin=b"y\n")
    assert outcome.code == 0, outcome.err
    assert QUESTION in outcome.err and QUESTION not in outcome.out
    assert pulled == [NAME]
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME)  # it is here now
    assert "Download" not in outcome.err and pulled == [NAME]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("answer", [b"n\n", b"\n", b""])
def test_anything_but_yes_downloads_nothing(
    answer: bytes, unbraid_command: Callable, tone: Callable, pulled: list[str]
) -> None:
    tone("a.wav")
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, stdin=answer)
    assert outcome.code != 0 and not pulled
    assert f"get it with `unbraid models pull {NAME}`" in outcome.err


def test_nothing_is_asked_without_a_terminal_and_yes_downloads_at_once(
    unbraid_command: Callable, tone: Callable, pulled: list[str]
) -> None:
    tone("a.wav")
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, stdin=b"y\n")
    assert outcome.code != 0 and not pulled and "Download" not in outcome.err
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, "--yes")
    assert outcome.code == 0 and pulled == [NAME]
    assert f"downloading {NAME} (378 MB, Apache-2.0)" in outcome.err


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_json_and_quiet_ask_nothing(option: str, unbraid_command: Callable, tone: Callable, pulled: list[str]) -> None:
    tone("a.wav")
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, option, stdin=b"y\n")
    assert outcome.code != 0 and not pulled and "Download" not in outcome.err


@pytest.mark.usefixtures("terminal")
def test_nothing_is_offered_offline(
    unbraid_command: Callable, tone: Callable, pulled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone("a.wav")
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, "--yes")
    assert outcome.code != 0 and not pulled and f"unbraid models pull {NAME}" in outcome.err


def test_a_download_that_fails_ends_the_command_in_a_sentence(
    unbraid_command: Callable, tone: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, **_: object) -> Path:
        raise DownloadError(f"{name} cannot be downloaded: the network is down.")

    tone("a.wav")
    monkeypatch.setattr("unbraid.hub.names.pull", fail)
    outcome = unbraid_command("transcribe", "a.wav", "-m", NAME, "--yes", "--json")
    assert outcome.code == 1 and "the network is down" in outcome.err and '"error"' in outcome.out


@pytest.mark.parametrize("option", [["--yes"], []])
def test_nothing_is_downloaded_for_an_input_that_is_not_there(
    option: list[str], unbraid_command: Callable, pulled: list[str]
) -> None:
    outcome = unbraid_command("transcribe", "none.wav", "-m", NAME, *option)
    assert outcome.code == 1 and pulled == []
    assert outcome.err == "error: none.wav does not exist. Name an audio file that does.\n"


def test_nothing_is_downloaded_for_a_voice_that_is_not_there(
    unbraid_command: Callable, tone: Callable, pulled: list[str]
) -> None:
    outcome = unbraid_command("convert", tone("talk.wav"), "--voice", "none.wav", "--yes")
    assert outcome.code == 2 and pulled == []
    assert outcome.err.startswith("error: none.wav is not there; name a recording of the speaker, or a .npy or .json")


def test_models_that_follow_from_others_are_asked_for_together() -> None:
    parameters = {"model": "microsoft/speecht5_tts", "vocoder": None, "voice": Path("anna.wav"), "embedder": None}
    assert needed("synthesize", parameters) == [
        "microsoft/speecht5_tts",
        "microsoft/speecht5_hifigan",
        "speechbrain/spkrec-xvect-voxceleb",
    ]
    assert needed("synthesize", parameters | {"voice": Path("anna.npy"), "vocoder": "mine"}) == [
        "microsoft/speecht5_tts",
        "mine",
    ]
    assert needed("synthesize", parameters | {"voice": None}) == ["microsoft/speecht5_tts"]
    assert needed("separate", {"model": None}) == []


def here(tmp_path: Path, *names: str) -> None:
    """Specs of models in the cache; nobody opens them."""
    for name in names:
        folder = tmp_path / "cache" / "models" / folder_name(name)
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(spec_of(name).to_json(), "utf-8")
        entry = catalogue().published.get(name)
        with (folder / "model.safetensors").open("wb") as file:
            file.truncate(entry.bytes if entry else 1000)


def spec_of(name: str) -> ModelSpec:
    if "whisper" not in name:
        config = Wav2Vec2Config(symbols=6, features=8, heads=2, hidden=8, layers=1, position_groups=2)
        texts = Vocabularies((), (*SPECIAL, "a", "b"))
        return ModelSpec(
            name, "wav2vec2", 16000, 1, (), config, "MIT", "a test", windows=Windows(20.0, 4.0), vocabularies=texts
        )
    many = not name.endswith(".en")
    tokens = Tokens(
        1000, 256, 257, 258, 259, 260, 261 if many else None, 262 if many else None,
        {"en": 263, "de": 264} if many else {},
    )  # fmt: skip
    from unbraid.dsp.framing import Mel

    return ModelSpec(
        name, "audio_transformer", 16000, 1, (), whisper_config(8, 2, (1, 1), symbols=1000), "MIT", "a test",
        windows=Windows(30.0, 0.0), mel=Mel(400, 160, 80, form="whisper"), tokens=tokens,
    )  # fmt: skip


def test_the_best_model_for_a_language(tmp_path: Path) -> None:
    assert dictation_models() == []
    here(tmp_path, "facebook/wav2vec2-base-960h", "mine")
    assert dictation_models() == dictation_models("en") == ["facebook/wav2vec2-base-960h"]  # of `mine` nobody knows
    assert dictation_models("de") == dictation_models(prompted=True) == []
    here(tmp_path, "openai/whisper-tiny", "openai/whisper-base", "openai/whisper-small.en")
    whispers = ["openai/whisper-base", "openai/whisper-tiny"]
    assert dictation_models() == [*whispers, "openai/whisper-small.en", "facebook/wav2vec2-base-960h"]
    assert dictation_models("en")[0] == "openai/whisper-small.en"
    assert dictation_models("de") == dictation_models(prompted=True, translates=True) == whispers
    assert dictation_models("xx") == []
    assert dictation_models(prompted=True) == [*whispers, "openai/whisper-small.en"]


def test_transcribe_says_which_model_it_takes(
    unbraid_command: Callable, tone: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone("a.wav")
    here(tmp_path, "openai/whisper-tiny", "openai/whisper-base")
    taken: list[str] = []
    monkeypatch.setattr("unbraid.cli.transcription.run", lambda request, *_, **__: taken.append(request.model))
    outcome = unbraid_command("transcribe", "a.wav")
    assert "transcribed by openai/whisper-base, the best of 2 models here for it; -m names another." in outcome.err
    assert "transcribed by" not in unbraid_command("transcribe", "a.wav", "--quiet").err
    assert "transcribed by" not in unbraid_command("transcribe", "a.wav", "-m", "digits").err
    assert "transcribed by" not in unbraid_command("transcribe", "a.wav", "--force").err  # which is about digits
    outcome = unbraid_command("transcribe", "a.wav", "--language", "xx")
    assert "transcribed by" not in outcome.err
    assert taken == [
        "openai/whisper-base",
        "openai/whisper-base",
        "digits",
        "digits",
        "openai/whisper-base",
    ]  # which refuses xx


@pytest.mark.usefixtures("terminal")
def test_transcribe_offers_a_whisper_where_there_is_none(
    unbraid_command: Callable, tone: Callable, pulled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone("a.wav")
    taken: list[str] = []
    monkeypatch.setattr("unbraid.cli.transcription.run", lambda request, *_, **__: taken.append(request.model))
    outcome = unbraid_command("transcribe", "a.wav", stdin=b"n\n")
    assert (
        "The model in the package knows spoken digits only (-m digits takes it unasked). For speech, "
        "openai/whisper-base (291 MB, MIT) is published, but not on this machine. Download now? [y/N] "
    ) in outcome.err
    assert (taken, pulled) == (["digits"], [])
    unbraid_command("transcribe", "a.wav", "--json", stdin=b"y\n")
    assert (taken, pulled) == (["digits"] * 2, [])
    unbraid_command("transcribe", "a.wav", stdin=b"y\n")
    assert (taken[-1], pulled) == ("openai/whisper-base", ["openai/whisper-base"])
