"""Singing, kits and effects: what comes out has the pitch, the level and the place that were asked for."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rendering_sounds import needs_world, vowel

from unbraid import audio
from unbraid.corpora.rendering import effects, kits, singing
from unbraid.corpora.rendering.kits import kind_of, play_kit, read_kit
from unbraid.corpora.rendering.melody import Tone
from unbraid.corpora.rendering.midi import Note
from unbraid.corpora.rendering.plan import SingerPlan
from unbraid.corpora.rendering.singing import analysed, sing
from unbraid.corpora.rendering.synth import RATE
from unbraid.errors import RuntimeUnavailable, UnbraidError

SINGER = SingerPlan(
    sung=True, files=(), start=0.0, melody_channels=(), formants=1.0, stretch=1.5, portamento_seconds=0.06,
    vibrato_hz=5.5, vibrato_cents=40.0, harmony_semitones=None, pan=0.0, width=0.0, hall_seconds=1.0, hall_db=-20.0,
    level_db=0.0, tilt_db=0.0, drive=0.0,
)  # fmt: skip


def pitch_of(sound: np.ndarray, rate: int) -> float:
    """Of a steady tone, by its autocorrelation."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound))) ** 2
    correlation = np.fft.irfft(spectrum)
    low, high = rate // 500, rate // 80
    return rate / (low + int(np.argmax(correlation[low:high])))


@needs_world
def test_a_vowel_sings_the_melody():
    voice = analysed(vowel(), 16000)
    assert voice.pitch_hz == pytest.approx(120, rel=0.02)
    melody = [Tone(0.2, 1.0, 52.0), Tone(1.0, 1.8, 55.0)]
    sound = sing(voice, melody, 2.5, replace(SINGER, vibrato_cents=0, stretch=2.0), np.random.default_rng(0))
    assert sound.shape == (40000,)
    for start, pitch in ((0.4, 52.0), (1.3, 55.0)):
        piece = sound[round(16000 * start) : round(16000 * (start + 0.4))]
        assert pitch_of(piece, 16000) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.015)
    assert np.abs(sound[: round(0.15 * 16000)]).max() < 0.01 * np.abs(sound).max()  # rests are silent
    assert np.abs(sound[round(1.9 * 16000) :]).max() < 0.01 * np.abs(sound).max()


@needs_world
def test_formants_move():
    voice = analysed(vowel(), 16000)
    plain, moved = voice.envelope, singing._moved(voice.envelope, 1.2)
    assert np.argmax(moved.mean(0)) == pytest.approx(1.2 * np.argmax(plain.mean(0)), rel=0.05)


@needs_world
def test_silence_does_not_sing():
    voice = analysed(np.zeros(16000, np.float32), 16000)
    assert not sing(voice, [Tone(0.0, 1.0, 60.0)], 1.0, SINGER, np.random.default_rng(0)).any()


@needs_world
def test_digital_silence_in_a_voice_is_no_trouble():
    speech = np.concatenate((np.zeros(4000, np.float32), vowel(), np.zeros(8000, np.float32), vowel()))
    voice = analysed(speech, 16000)
    sound = sing(voice, [Tone(0.0, 3.0, 52.0)], 3.0, SINGER, np.random.default_rng(0))
    assert np.isfinite(sound).all() and sound.any()


def test_vibrato_comes_after_a_while():
    style = replace(SINGER, vibrato_cents=50, portamento_seconds=0.05)
    f0 = singing.contour([Tone(0.0, 2.0, 69.0)], 400, style, np.random.default_rng(0))
    cents = 1200 * np.log2(f0 / 440)
    assert np.ptp(cents[:40]) < 45  # drift alone
    assert np.ptp(cents[120:]) > 80


def test_without_pyworld_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(RuntimeUnavailable) as error:
        singing.world()
    assert str(error.value) == (
        "Singing needs pyworld, which is not installed; get it with `pip install 'unbraid[train]'`."
    )


def test_tilt_is_decibels_an_octave():
    noise = np.random.default_rng(0).standard_normal((2, 1 << 16)).astype(np.float32)
    before, after = (np.abs(np.fft.rfft(x)) for x in (noise, effects.tilted(noise, 3.0, RATE)))
    hz = np.fft.rfftfreq(1 << 16, 1 / RATE)
    for at, gain_db in ((500, -3.0), (1000, 0.0), (4000, 6.0)):
        band = (hz > 0.97 * at) & (hz < 1.03 * at)
        ratio = np.sqrt(np.mean(after[:, band] ** 2) / np.mean(before[:, band] ** 2))
        assert 20 * np.log10(ratio) == pytest.approx(gain_db, abs=0.3)


def test_saturation_keeps_the_peak_and_lifts_the_rest():
    sound = np.linspace(-0.5, 0.5, 101, dtype=np.float32)[None]
    out = effects.saturated(sound, 2.0)
    assert np.abs(out).max() == pytest.approx(0.5)
    assert (np.abs(out) >= np.abs(sound) - 1e-6).all()
    assert not effects.saturated(np.zeros((2, 8), np.float32), 2.0).any()


def test_a_hall_decays_by_60_db_in_its_time():
    click = np.zeros((2, RATE), np.float32)
    click[:, 0] = 1
    echo = effects.in_hall(click, 0.5, -6.0, RATE, np.random.default_rng(0)) - click
    power = [float(np.mean(echo[:, round(t * RATE) : round((t + 0.05) * RATE)] ** 2)) for t in (0.05, 0.3)]
    assert 10 * np.log10(power[0] / power[1]) == pytest.approx(30, abs=3)
    assert np.sum(echo[0] ** 2) == pytest.approx(10**-0.6, rel=0.05)


def test_a_placed_voice_is_on_its_side():
    left = effects.placed(np.ones(4000, np.float32), -0.8, 0.0, RATE)
    assert np.abs(left[0]).mean() > 3 * np.abs(left[1]).mean()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("Kick Hard 1", "kick"), ("BassDrum", "kick"), ("Snare Rock", "snare"), ("Stick", "side stick")),
        *(("Pearl Snare Rimshot", "side stick"), ("Open HH", "open hat"), ("Hi Hat Closed", "closed hat")),
        *(("Pedal HH", "pedal hat"), ("Tom Low", "low tom"), ("Tom Mid", "middle tom"), ("tomhi4", "high tom")),
        *(("ride-cup", "bell"), ("Ride Jazz", "ride"), ("crash16inch", "crash"), ("Whistle", None)),
    ],
)
def test_instruments_go_by_their_names(name, kind):
    assert kind_of(name) == kind


def write_kit(folder: Path, names: tuple[str, ...] = ("Kick", "Snare", "Closed HH", "Open HH")) -> Path:
    """A kit of constants: 0.1 for the first instrument, 0.2 for the next; soft strokes in a layer of their own."""
    folder.mkdir()
    xml = ""
    for i, name in enumerate(names):
        layers = ""
        for layer, (low, high, scale) in enumerate(((0, 0.5, 0.5), (0.5, 1, 1.0))):
            file = f"{i}-{layer}.wav"
            sound = np.full((1, RATE // 2), scale * 0.1 * (i + 1), np.float32)
            audio.write(folder / file, sound, RATE, audio.choose_format("wav", subtype="32f"))
            layers += f"<layer><filename>{file}</filename><min>{low}</min><max>{high}</max><gain>1</gain></layer>"
        xml += (
            f"<instrument><name>{name}</name><volume>1</volume><pan_L>1</pan_L><pan_R>0.5</pan_R>{layers}</instrument>"
        )
    path = folder / "drumkit.xml"
    path.write_text(f"<drumkit_info><instrumentList>{xml}</instrumentList></drumkit_info>")
    return path


def test_a_kit_plays_its_layers_where_the_notes_are(tmp_path):
    kit = write_kit(tmp_path / "kit")
    notes = [Note(0.0, 0.1, 9, 0, 36, 127), Note(1.0, 1.1, 9, 0, 40, 50), Note(2.0, 2.1, 9, 0, 76, 127)]
    sound = play_kit(notes, kit, 3.0, 0.0)
    assert sound[:, 100] == pytest.approx((0.1, 0.05))
    assert sound[:, RATE + 100] == pytest.approx((0.1 * 50 / 127, 0.05 * 50 / 127))  # the soft layer of the snare
    assert not sound[:, 2 * RATE :].any()  # a wood block that the kit lacks


def test_an_open_hat_is_closed_by_the_next_stroke(tmp_path):
    kit = write_kit(tmp_path / "kit")
    sound = play_kit([Note(0.0, 0.1, 9, 0, 46, 127), Note(0.2, 0.3, 9, 0, 42, 127)], kit, 1.0, 0.0)
    assert sound[0, round(0.1 * RATE)] == pytest.approx(0.4)
    assert sound[0, round(0.3 * RATE)] == pytest.approx(0.3)


def test_a_kit_higher_is_a_kit_shorter(tmp_path):
    sound = play_kit([Note(0.0, 0.1, 9, 0, 36, 127)], write_kit(tmp_path / "kit"), 1.0, 12.0)
    assert sound[0, round(0.2 * RATE)] == pytest.approx(0.1, abs=1e-3)
    assert abs(sound[0, round(0.3 * RATE)]) < 1e-3


def test_congas_are_no_kit(tmp_path):
    path = write_kit(tmp_path / "kit", ("Conga", "Djembe"))
    with pytest.raises(UnbraidError) as error:
        read_kit(path)
    assert str(error.value) == (
        f"The drum kit {path} has no kick, snare, closed hat that unbraid knows by name. Leave it out."
    )
    assert not kits.is_kit(path)
