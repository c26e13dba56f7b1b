"""Attention maps of models on disk: what rows and columns stand for, what is written, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import write_model
from side_fakes import CONVERTERS, MEL, SPEAKERS, WRITERS, side_spec
from unbraid import audio
from unbraid.audio import Excerpt
from unbraid.dsp.mel import mel_levels
from unbraid.errors import AudioError, UsageError
from unbraid.hub.catalogue import catalogue
from unbraid.hub.names import resolve
from unbraid.hub.spec import read_spec
from unbraid.hub.vocabulary import END, Vocabulary
from unbraid.models.audio_transformer.config import AudioTransformerConfig, samples_in_step
from unbraid.tasks.attention import AttentionMaps, attention_maps
from unbraid.tasks.decoding.generator import Generator

pytest.importorskip("onnx")
RATE = 8000


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From letters a to e to capitals A to G."""
    return model(tmp_path_factory.mktemp("models"), WRITERS["text to text"])


def model(parent: Path, geometry: AudioTransformerConfig) -> Path:
    write_model(parent / "tiny", side_spec(geometry))
    return parent / "tiny"


def recording(path: Path, seconds: float, rate: int = RATE, channels: int = 1) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, (channels, round(seconds * rate))).astype(np.float32)
    audio.write(path, noise, rate, audio.OutputFormat("wav", "32f"))
    return path


def kinds(seen: AttentionMaps) -> list[tuple[str, int, tuple[int, ...]]]:
    return [(one.kind, one.layer, one.heads.shape) for one in seen.maps]


def test_text_to_text(speller: Path) -> None:
    seen = attention_maps(speller, "bad")
    with Generator(speller) as generator:
        source = [*Vocabulary(generator.spec.vocabularies.source).encode("bad"), END]
        ((text,),) = generator.generate([source], most_symbols=500)
        symbols = generator.spec.vocabularies.target
    assert seen.target and seen.target.labels == (*(symbols[number] for number in text.symbols), "<end>")
    m = len(text.symbols) + 1
    assert kinds(seen) == [
        (kind, layer, (3, *shape))
        for kind, shape in (("encoder", (4, 4)), ("decoder", (m, m)), ("cross", (m, 4)))
        for layer in (1, 2)
    ]
    encoder, *_, decoder, _, cross = seen.maps
    assert encoder.rows is encoder.columns
    assert encoder.rows.labels == ("b", "a", "d", "<end>") == cross.columns.labels
    assert decoder.rows is cross.rows is seen.target
    assert decoder.columns.labels == ("<begin>", *decoder.rows.labels[:-1])
    assert (np.triu(decoder.heads, 1) == 0).all()
    for one in seen.maps:
        np.testing.assert_allclose(one.heads.sum(-1), 1, atol=1e-5)


def test_a_target_may_be_given_and_case_does_not_count(speller: Path) -> None:
    seen = attention_maps(speller, " BAD ", target="gAb")
    assert seen.is_given and seen.target and seen.target.labels == ("G", "A", "B", "<end>")
    other = attention_maps(speller, "bad", target="GBB")
    assert kinds(other) == kinds(seen)
    assert (other.maps[2].heads[:, :2] == seen.maps[2].heads[:, :2]).all()  # before what differs
    assert (other.maps[2].heads[:, 2] != seen.maps[2].heads[:, 2]).any()


@pytest.mark.parametrize("name", ["spectrogram to text", "deep waveform to text"])
def test_audio_to_text(tmp_path: Path, name: str) -> None:
    path, geometry = recording(tmp_path / "a.wav", 0.0771, 16000, 2), WRITERS[name]
    folder = model(tmp_path, geometry)
    step = samples_in_step(geometry.source, MEL)
    steps = -(-round(0.0771 * RATE) // step)
    source = attention_maps(folder, path, target="AB").maps[0].rows
    assert source.steps == steps
    assert source.seconds == pytest.approx(steps * step / RATE)
    part = attention_maps(folder, path, target="AB", excerpt=Excerpt(start=0.02, duration=0.03)).maps[0].rows
    assert part.start == 0.02 and part.seconds == pytest.approx(0.03, abs=step / RATE)
    if name == "spectrogram to text":
        mono = audio.read(path)[0].mean(0, keepdims=True)
        samples = audio.resample(mono, 16000, RATE)[0]
        expected = mel_levels(np.pad(samples, (0, -len(samples) % step)), MEL, RATE, without_noise=True)
        np.testing.assert_allclose(source.levels, expected, atol=1e-6)
    else:
        assert source.levels is not None and source.levels.shape[1] == 64


def test_text_to_spectrogram_writes_its_own_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.tasks.attention.MOST_WRITTEN", 9)
    seen = attention_maps(model(tmp_path, SPEAKERS["text to spectrogram"]), "bad")
    target, cross = seen.target, seen.maps[-1]
    assert target and target.levels is not None and not target.labels
    assert 1 <= target.steps <= 9
    assert target.levels.shape == (2 * target.steps, 6)
    assert target.seconds == pytest.approx(2 * target.steps * MEL.hop_samples / RATE)
    assert cross.heads.shape == (3, target.steps, 4)
    begin = seen.maps[2].columns.levels
    assert begin is not None and (begin[:2] == 0).all() and (begin[2:] == target.levels[:-2]).all()


def test_a_converter_has_an_encoder_only(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", 0.05)
    seen = attention_maps(model(tmp_path, CONVERTERS["waveform to waveform"]), path)
    assert kinds(seen) == [("encoder", layer, (3, 50, 50)) for layer in (1, 2)]
    assert seen.target is None


def test_what_is_longer_than_can_be_shown_is_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, path = model(tmp_path, CONVERTERS["waveform to waveform"]), recording(tmp_path / "a.wav", 0.3)
    monkeypatch.setattr("unbraid.tasks.attention.MOST_SECONDS", 0.1)
    seen = attention_maps(folder, path)
    assert seen.is_cut and seen.maps[0].rows.seconds == pytest.approx(0.1)
    assert not attention_maps(folder, path, excerpt=Excerpt(duration=0.1)).is_cut  # as was asked
    assert not attention_maps(folder, path, excerpt=Excerpt(start=0.25)).is_cut
    with pytest.raises(UsageError) as caught:
        attention_maps(folder, path, excerpt=Excerpt(duration=0.2))
    assert str(caught.value) == "At most 0.1 s can be shown, not 0.2; choose a smaller --duration."


def test_too_many_weights_are_refused_before_they_are_made(speller: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.tasks.attention.MOST_WEIGHTS", 95)
    with pytest.raises(UsageError) as caught:
        attention_maps(speller, "bad")
    assert str(caught.value) == (
        "4 steps that are read and 0 that are written have too many weights to show; take a shorter text, or fewer "
        "seconds with --duration."
    )


def test_a_folder_of_an_older_release_is_told_how_to_get_the_graph(tmp_path: Path) -> None:
    folder = model(tmp_path, WRITERS["text to text"])
    (folder / "attention.onnx").unlink()
    spec = json.loads((folder / "spec.json").read_text())
    del spec["files"]["attention.onnx"]
    (folder / "spec.json").write_text(json.dumps(spec))
    with Generator(folder) as generator:
        assert generator.generate([[5, 2]])  # it still runs
    with pytest.raises(UsageError) as caught:
        attention_maps(folder, "bad")
    assert str(caught.value) == (
        "The folder of tiny-sides is of an older unbraid and has no attention.onnx; export its checkpoint again "
        "(`unbraid export`), or use --device torch where PyTorch is installed."
    )
    pytest.importorskip("torch")
    assert attention_maps(folder, "bad", device="torch").target


def test_both_engines_agree(speller: Path) -> None:
    pytest.importorskip("torch")
    ours, theirs = (attention_maps(speller, "bad", target="ABC", device=device) for device in ("cpu", "torch"))
    for one, other in zip(ours.maps, theirs.maps, strict=True):
        np.testing.assert_allclose(one.heads, other.heads, rtol=0, atol=1e-5)


def test_models_without_such_attention_are_told_which_have_it(speech_folder: Path, music_folder: Path) -> None:
    for folder, name, family in ((speech_folder, "tiny-speech", "sepformer"), (music_folder, "tiny-music", "unet")):
        with pytest.raises(UsageError) as caught:
            attention_maps(folder, "bad")
        first, _, rest = str(caught.value).partition("; of the models here, ")
        assert first == f"{name} is a {family}, whose attention cannot be shown"
        assert "g2p" in rest.removesuffix(" can.").split(", ")


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", None, "There is nothing to read; give tiny-sides a text."),
        (" ", None, "There is nothing to read; give tiny-sides a text."),
        ("bäd b", None, "tiny-sides cannot read 'ä', ' ' in 'bäd b'; its symbols are abcde."),
        ("bad", "AX", "tiny-sides cannot write 'X' in 'AX'; its symbols are ABCDEFG."),
    ],
)
def test_texts_that_cannot_be(speller: Path, text: str, target: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        attention_maps(speller, text, target=target)
    assert str(caught.value) == message


def test_no_target_where_no_text_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        attention_maps(model(tmp_path, SPEAKERS["text to spectrogram"]), "bad", target="A")
    assert str(caught.value) == "tiny-sides writes no text, so there is no target to be given; leave it out."


def test_damaged_audio(tmp_path: Path) -> None:
    folder = model(tmp_path, WRITERS["spectrogram to text"])
    (tmp_path / "bad.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")
    for name in ("bad.wav", "absent.wav"):
        with pytest.raises(AudioError, match=name):
            attention_maps(folder, tmp_path / name)


@pytest.mark.parametrize("name", catalogue().packaged)
def test_models_inside_the_package_can_be_looked_at(name: str) -> None:
    spec = read_spec(resolve(name))
    assert ("attention.onnx" in spec.files) == (spec.family == "audio_transformer")
