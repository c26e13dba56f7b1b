"""spec.json is read strictly, and what is written is read back."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from engine_fakes import (
    HTDEMUCS,
    ROFORMER,
    SPEECH,
    TEXT,
    htdemucs_spec,
    music_spec,
    roformer_spec,
    speech_spec,
    text_spec,
)
from side_fakes import CONVERTERS, EVERY, MEL, WAVE, WRITERS, side_spec, sizes
from unbraid.errors import SpecError
from unbraid.hub.card import model_card
from unbraid.hub.spec import Mel, ModelSpec, Vocabularies, parse_spec, read_spec
from unbraid.models.audio_transformer.config import SpectrogramSide


def data(spec: ModelSpec | None = None) -> dict[str, Any]:
    return json.loads((spec or speech_spec()).to_json())


def refusal(value: Any) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(value, "spec.json")
    return str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        speech_spec(1),
        speech_spec(3, 16000),
        music_spec(5, 44100),
        roformer_spec(),
        roformer_spec(ROFORMER),
        htdemucs_spec(),
        htdemucs_spec(dataclasses.replace(HTDEMUCS, networks=2)),
        text_spec(),
        text_spec(dataclasses.replace(TEXT, positions="rotary")),
        *map(side_spec, EVERY.values()),
        dataclasses.replace(music_spec(), scores={"uSDR dB": 5.25}, files={"model.onnx": "ab"}, name="Ünï/ço"),
    ],
    ids=lambda spec: spec.name,
)
def test_what_is_written_is_read_back(tmp_path: Path, spec: ModelSpec) -> None:
    (tmp_path / "spec.json").write_text(spec.to_json(), encoding="utf-8")
    assert read_spec(tmp_path) == spec


def test_a_spec_without_what_has_defaults_is_complete() -> None:
    left = {key: value for key, value in data().items() if key not in ("spectral", "scores", "files")}
    assert parse_spec(left, "spec.json") == speech_spec()


def test_a_folder_without_a_spec_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_spec(tmp_path)
    assert str(caught.value) == f"{tmp_path} is not a model folder: it has no spec.json."


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 10])
def test_what_is_not_json_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spec.json").write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_spec(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'spec.json'} cannot be read: ")


REQUIRED = ["name", "family", "sample_rate", "channels", "stems", "geometry", "licence", "provenance"]
KEYS = (
    f"{', '.join(REQUIRED)}, spectral, windows, vocabularies, mel, tokens, level, silent_outputs, remainder, "
    "same_speaker, scores, files, format"
)
FAMILIES = (
    "sepformer, resepformer, mossformer2, conv_tasnet, band_split, causal_lstm, unet, roformer, htdemucs, tiger, "
    "audio_transformer, wav2vec2, ecapa, campplus, speaker_resnet, xvector, hifigan, speecht5, basic_pitch"
)
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"format": 2}, "spec.json: format 2 is not 1; install a newer unbraid."),
    ({"format": None}, "spec.json: format None is not 1; install a newer unbraid."),
    ({"family": "lstm"}, f"spec.json: family 'lstm' is not one of {FAMILIES}."),
    ({"family": ["unet"]}, f"spec.json: family ['unet'] is not one of {FAMILIES}."),
    ({"zz": 1}, f"spec.json does not know 'zz'; it knows {KEYS}."),
    ({"sample_rate": "8000"}, "spec.json: sample_rate must be a whole number, got '8000'."),
    ({"sample_rate": 8000.0}, "spec.json: sample_rate must be a whole number, got 8000.0."),
    ({"sample_rate": True}, "spec.json: sample_rate must be a whole number, got True."),
    ({"name": None}, "spec.json: name must be a text, got None."),
    ({"stems": "voice1"}, "spec.json: stems must be a list, got 'voice1'."),
    ({"stems": ["a", 2]}, "spec.json: stems[1] must be a text, got 2."),
    ({"stems": ["a"]},
     "tiny-speech: its network takes a sample rate above 0 Hz, 1 channel and 2 stems, not 8000 Hz, 1 and 1."),
    ({"level": "loud"}, "spec.json: level must be one of fitted, own, got 'loud'."),
    ({"silent_outputs": "no"}, "spec.json: silent_outputs must be true or false, got 'no'."),
    ({"silent_outputs": True},
     "tiny-speech: silent_outputs is for networks on waveforms with several stems and a level of their own."),
    ({"remainder": "voice1"},
     "tiny-speech: stems must differ, and none is called 'residual' or as the remainder; got ('voice1', 'voice2')."),
    ({"remainder": "a/b"}, "tiny-speech: 'a/b' cannot name a stem, since files are named after it."),
    ({"same_speaker": 0.3}, "tiny-speech: same_speaker is for speaker embeddings, a cosine between -1 and 1."),
    ({"scores": {"a": "high"}}, "spec.json: scores.a must be a finite number, got 'high'."),
    ({"files": ["model.onnx"]}, "spec.json: files must be a set of named values, got ['model.onnx']."),
    ({"windows": {"seconds": 3, "hop": 1}},
     "spec.json: windows does not know 'hop'; it knows seconds, overlap_seconds."),
    ({"windows": {"seconds": None}}, "spec.json: windows: seconds must be a finite number, got None."),
    ({"windows": 12}, "spec.json: windows must be a set of named values, got 12."),
    ({"windows": None},
     "tiny-speech: of spectral, windows, vocabularies, mel, tokens its network needs windows and no other; "
     "found none."),
    ({"spectral": {}},
     "tiny-speech: of spectral, windows, vocabularies, mel, tokens its network needs windows and no other; "
     "found spectral, windows."),
    ({"geometry": 5}, "spec.json: geometry must be a set of named values, got 5."),
    ({"geometry": None}, "spec.json: geometry must be a set of named values, got None."),
    ({"geometry": {"features": 12, "layers": 1, "depth": 3}},
     "spec.json: geometry does not know 'depth'; it knows sources, features, kernel_samples, stride_samples, "
     "chunk_frames, blocks, layers, heads, hidden."),
    ({"geometry": {"features": 12, "heads": 5}}, "spec.json: geometry: features (12) must be a multiple of heads (5)."),
    ({"geometry": data(music_spec())["geometry"]}, "tiny-speech: the geometry is not that of the family sepformer."),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[str(change)[:40] for change, _ in CHANGES])
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    assert refusal(data() | change) == message


def test_a_music_spec_is_as_strict() -> None:
    good = data(music_spec())
    assert refusal(good | {"spectral": {"extension": "mirror"}}) == (
        "spec.json: spectral: extension must be one of zeros, average, got 'mirror'."
    )
    assert refusal(good | {"geometry": good["geometry"] | {"filters": [2, 3.5]}}) == (
        "spec.json: geometry: filters[1] must be a whole number, got 3.5."
    )
    assert refusal(good | {"geometry": good["geometry"] | {"bins": 100}}) == (
        "spec.json: geometry: bins must be a multiple of 64 (2 to the number of filters), got 100."
    )
    assert refusal(good | {"geometry": good["geometry"] | {"side": True, "channels": 1}}) == (
        "spec.json: geometry: side is what two channels differ by; channels must be 2, got 1."
    )
    assert refusal(good | {"geometry": good["geometry"] | {"bins": 128}}) == (
        "tiny-music: its network sees 128 bins, not 64."
    )
    assert (
        refusal(good | {"geometry": dataclasses.asdict(SPEECH)})
        == "tiny-music: the geometry is not that of the family unet."
    )


DEEP_JSON = {"kind": "waveform", "kernels": [4, 6], "strides": [2, 4]}
TEXT_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"sample_rate": 8000}, "tiny-text: text has no sample rate, no channels and no stems; write 0, 0 and []."),
    ({"stems": ["a"]}, "tiny-text: text has no sample rate, no channels and no stems; write 0, 0 and []."),
    ({"windows": {}},
     "tiny-text: of spectral, windows, vocabularies, mel, tokens its network needs vocabularies and no other; "
     "found windows, vocabularies."),
    ({"vocabularies": {"source": ["a"]}}, "spec.json: vocabularies lacks target."),
    ({"vocabularies": {"source": ["a"], "target": ["b"]}},
     "spec.json: vocabularies: a vocabulary begins with <padding>, <begin>, <end>, <unknown>, not with ['a']."),
    ({"vocabularies": data(text_spec())["vocabularies"] | {"target": data(text_spec())["vocabularies"]["source"]}},
     "tiny-text: the network's target has 11 symbols, its vocabulary 9."),
    ({"geometry": dataclasses.asdict(TEXT) | {"source": {"symbols": 9, "kind": "smell"}}},
     "spec.json: geometry: source: kind must be one of text, spectrogram, waveform, wav2vec2, got 'smell'."),
    ({"geometry": dataclasses.asdict(TEXT) | {"target": ["text"]}},
     "spec.json: geometry: target must be a set of named values, got ['text']."),
    ({"geometry": dataclasses.asdict(TEXT) | {"target": {"symbols": 9, "bins": 5, "kind": "text"}}},
     "spec.json: geometry: target does not know 'bins'; did you mean kind?"),
    ({"geometry": data(side_spec(sizes(WAVE, WAVE)))["geometry"] | {"target": DEEP_JSON}},
     "spec.json: geometry: one convolution writes a waveform, not 2; name one stride."),
    ({"geometry": dataclasses.asdict(TEXT) | {"ctc": 1}}, "spec.json: geometry: ctc must be true or false, got 1."),
    ({"geometry": dataclasses.asdict(TEXT) | {"ctc": True}},
     "spec.json: geometry: ctc is for text that is written from audio."),
    ({"geometry": dataclasses.asdict(TEXT) | {"source": {"symbols": 3}}},
     "spec.json: geometry: source: symbols must be at least 5 (four special ones and one more), got 3."),
    ({"geometry": dataclasses.asdict(SPEECH)}, "tiny-text: the geometry is not that of the family audio_transformer."),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), TEXT_CHANGES, ids=[str(change)[:40] for change, _ in TEXT_CHANGES])
def test_a_text_spec_is_as_strict(change: dict[str, Any], message: str) -> None:
    assert refusal(data(text_spec()) | change) == message


LISTEN, ALTER, DENOISE = (
    side_spec(geometry) for geometry in (
        WRITERS["spectrogram to text"], CONVERTERS["waveform to waveform"], CONVERTERS["waveform to spectrogram"]
    )
)  # fmt: skip
SIDES: list[tuple[ModelSpec, dict[str, Any], str]] = [
    (LISTEN, {"mel": None},
     "tiny-sides: of spectral, windows, vocabularies, mel, tokens its network needs windows, vocabularies, mel and "
     "no other; found windows, vocabularies."),
    (LISTEN, {"windows": None},
     "tiny-sides: of spectral, windows, vocabularies, mel, tokens its network needs windows, vocabularies, mel and "
     "no other; found vocabularies, mel."),
    (ALTER, {"mel": MEL},
     "tiny-sides: of spectral, windows, vocabularies, mel, tokens its network needs windows and no other; "
     "found windows, mel."),
    (LISTEN, {"mel": Mel(20, 4, 7)}, "tiny-sides: its network has 6 mel bands, its spectrogram 7."),
    (DENOISE, {"mel": dataclasses.replace(DENOISE.mel, normalized=True)},
     "tiny-sides: normalized levels are for networks that write text; audio has a level."),
    (LISTEN, {"sample_rate": 0},
     "tiny-sides: its network takes a sample rate above 0 Hz, 1 channel and 0 stems, not 0 Hz, 1 and 0."),
    (LISTEN, {"channels": 2},
     "tiny-sides: its network takes a sample rate above 0 Hz, 1 channel and 0 stems, not 8000 Hz, 2 and 0."),
    (LISTEN, {"stems": ("speech",)},
     "tiny-sides: its network takes a sample rate above 0 Hz, 1 channel and 0 stems, not 8000 Hz, 1 and 1."),
    (ALTER, {"stems": ()},
     "tiny-sides: its network takes a sample rate above 0 Hz, 1 channel and 1 stems, not 8000 Hz, 1 and 0."),
    (LISTEN, {"vocabularies": Vocabularies(LISTEN.vocabularies.target, LISTEN.vocabularies.target)},
     "tiny-sides: the network's source has 0 symbols, its vocabulary 11."),
    (LISTEN, {"vocabularies": Vocabularies((), ())},
     "tiny-sides: the network's target has 11 symbols, its vocabulary 0."),
    (DENOISE, {"mel": Mel(20, 5 + 5, 6)}, "tiny-sides: a step of what it reads is 8 samples, of what it writes 20."),
    (ALTER, {"geometry": sizes(WAVE, SpectrogramSide(6, (3,))), "mel": MEL, "stems": ()},
     "tiny-sides: a step of what it reads is 8 samples, of what it writes 12."),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "change", "message"), SIDES, ids=[str(change)[:40] for _, change, _ in SIDES])
def test_what_does_not_fit_the_sides_is_named(spec: ModelSpec, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        dataclasses.replace(spec, **change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bins": 0}, "spec.json: mel: frame_samples, hop_samples and bins must be at least 1, got "
         "256, 80 and 0."),
        ({"frame_samples": 255}, "spec.json: mel: frame_samples must be hop_samples and an even number more, "
         "got 255 for 80."),
        ({"bands": 6}, "spec.json: mel does not know 'bands'; did you mean bins?"),
    ],
)  # fmt: skip
def test_a_spectrogram_that_cannot_be_is_named(values: dict[str, Any], message: str) -> None:
    assert refusal(data(LISTEN) | {"mel": values}) == message


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(key: str) -> None:
    left = {name: value for name, value in data().items() if name != key}
    told = {"family": f"spec.json: family None is not one of {FAMILIES}."}
    assert refusal(left) == told.get(key, f"spec.json lacks {key}.")


@pytest.mark.parametrize("value", [[], "spec", 3, None])
def test_what_is_no_object_is_told(value: Any) -> None:
    assert refusal(value) == f"spec.json must be a set of named values, got {value!r}."


def test_the_card_says_what_there_is_to_know() -> None:
    spec = dataclasses.replace(music_spec(), scores={"uSDR dB, test": 5.5}, licence="CC-BY-4.0")
    card = model_card(spec)
    for part in (
        "# tiny-music",
        "vocals, drums from a mixture, at 8000 Hz",
        "CC-BY-4.0",
        "a test",
        "| uSDR dB, test | 5.5 |",
    ):
        assert part in card


def test_the_card_of_a_text_model_says_how_to_use_it() -> None:
    card = model_card(text_spec())
    assert "Writes one text for another, symbol by symbol." in card
    assert "    unbraid phonemize words -m tiny-text" in card


CARDS = {
    "spectrogram to text": ("Writes the text of audio at 8000 Hz.", "transcribe speech.wav"),
    "waveform to waveform": ("Makes a waveform of a waveform, at 8000 Hz.", "enhance noisy.wav"),
    "waveform to spectrogram": ("Makes a spectrogram of a waveform, at 8000 Hz.", "evaluate tiny-sides DATASET"),
    "text to spectrogram": ("Makes a spectrogram of a text, at 8000 Hz.", "evaluate tiny-sides DATASET"),
}


@pytest.mark.parametrize("kind", CARDS)
def test_the_card_says_what_a_transformer_makes_of_what(kind: str) -> None:
    card = model_card(side_spec(EVERY[kind]))
    what, command = CARDS[kind]
    assert f"\n{what}\n" in card
    assert f"\n    unbraid {command}" in card
