"""The page with a microphone: recording, live audio; and the sound of its player, measured in the browser."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from engine_fakes import noise
from unbraid.service.client import Client

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
pytest.importorskip("websockets", reason="no web extra: pip install 'unbraid[web]'")
chromium = pytest.importorskip("browser", reason="Chromium's pipes need fcntl")
from unbraid.service.mix import envelope, panned  # noqa: E402

PROGRAM = chromium.find()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser: none of {', '.join(chromium.NAMES)} is installed")
RATE, HZ = 44100, 440


@pytest.fixture(scope="module")
def page(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """The page, whose microphone hears a steady noise, with the stems of a tone of 3 seconds in its player."""
    assert PROGRAM
    folder = tmp_path_factory.mktemp("in")
    soundfile.write(folder / "noise.wav", noise(1, 5 * 48000)[0], 48000)
    tone = 0.3 * np.sin(2 * np.pi * HZ * np.arange(3 * RATE) / RATE)
    soundfile.write(folder / "tone.wav", tone, RATE)
    with Client(server.url) as client:
        job = client.wait(client.submit(folder / "tone.wav", "separate", {"model": "music-2"}).id)
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'noise.wav'}",
    )
    with chromium.Browser(PROGRAM, tmp_path_factory.mktemp("profile"), 1280, 900, flags) as browser:
        browser.call("Page.navigate", url=f"{server.url}/#{job.id}")
        browser.until("document.querySelectorAll('#player .lane').length === 2", 60)
        browser.run(f"job = '{job.id}'")
        yield browser


TONE = """(async () => {
  const {Sound} = await import("/static/sound.js"), sound = new Sound();
  sound.context = new OfflineAudioContext(2, 4 * 44100, 44100);
  const tracks = ["vocals", "accompaniment"].map(name => (
    {sound: `${name}.preview.ogg`, level: 1, place: 0, passages: [], audible: null}));
  await sound.load(job, tracks);
  await sound.setTempo(TEMPO);
  await sound.stretch?.latency(); // all messages have arrived
  sound.start(tracks, 0, null);
  const heard = (await sound.context.startRendering()).getChannelData(0);
  return [Array.from(heard.slice(44100, 2 * 44100)), sound.late];
})()"""


@pytest.mark.parametrize("tempo", [0.5, 0.75, 1, 1.25])
def test_the_pitch_stays_at_every_tempo(page: chromium.Browser, tempo: float) -> None:
    samples, late = page.run(TONE.replace("TEMPO", str(tempo)))
    heard = np.array(samples) * np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(heard))
    assert abs(int(np.argmax(spectrum)) - HZ) <= 1  # bins of 1 Hz
    assert np.std(samples) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert (late > 0) == (tempo != 1)


def test_muted_passages_are_those_of_the_mix(page: chromium.Browser) -> None:
    script = """(async () => {
      const {Sound} = await import("/static/sound.js");
      const buffer = new AudioBuffer({length: 8000, numberOfChannels: 1, sampleRate: 8000});
      buffer.getChannelData(0).fill(1);
      return Array.from(new Sound().without(buffer, [[0.2, 0.4], [0.9, 2]]).getChannelData(0));
    })()"""
    expected = envelope([(0.2, 0.4), (0.9, 2.0)], 0, 8000, 8000)
    np.testing.assert_allclose(page.run(script), expected, atol=1e-6)


@pytest.mark.parametrize("pan", [-1, -0.6, 0, 0.3, 1])
def test_a_track_is_placed_as_in_the_mix(page: chromium.Browser, pan: float) -> None:
    block = noise(2, 256)
    script = f"""(async () => {{
      const given = {json.dumps(block.tolist())}, context = new OfflineAudioContext(2, 256, 44100);
      const buffer = new AudioBuffer({{length: 256, numberOfChannels: 2, sampleRate: 44100}});
      given.forEach((samples, channel) => buffer.copyToChannel(new Float32Array(samples), channel));
      const source = new AudioBufferSourceNode(context, {{buffer}});
      source.connect(new StereoPannerNode(context, {{pan: {pan}, channelCount: 2, channelCountMode: "explicit"}}))
        .connect(context.destination);
      source.start();
      const heard = await context.startRendering();
      return [0, 1].map(channel => Array.from(heard.getChannelData(channel)));
    }})()"""
    np.testing.assert_allclose(page.run(script), panned(block, pan), atol=1e-6)


def test_the_mix_is_downloaded_as_it_is_set(page: chromium.Browser) -> None:
    page.run(
        "(() => { const player = document.getElementById('player');"
        "const set = (label, value) => { const input = player.querySelector(`[aria-label^='${label}']`);"
        "input.value = value; input.dispatchEvent(new Event('input')); };"
        "set('Volume of vocals', 50); set('Pan of accompaniment', -40);"
        "player.querySelector(\"[aria-label='Position']\").value = 1;"
        "player.querySelector(\"[aria-label='Position']\").dispatchEvent(new Event('input')); })()"
    )
    page.press("a")
    page.run("document.querySelector(\"#player [aria-label='Mute A–B of vocals']\").click()")
    assert page.run("document.querySelectorAll('#player .passage').length") == 1
    told = page.run("document.querySelector('#player p[role=status]').textContent")
    assert told == "vocals is muted from 0:01 to 0:03."
    script = (
        "(() => { const link = [...document.querySelectorAll('#player a')].find(a => a.textContent.includes('mix'));"
        "link.addEventListener('click', event => event.preventDefault()); link.click(); return link.search; })()"
    )
    search = page.run(script)
    assert search == "?track=vocals%3A0.5%3A0&mute=vocals%3A1.000%3A3.000&track=accompaniment%3A1%3A-0.4"
    page.run("document.querySelector(\"#player [aria-label='Mute A–B of vocals']\").click()")
    assert page.run("document.querySelectorAll('#player .passage').length") == 0


def test_a_recording_from_the_microphone(page: chromium.Browser) -> None:
    page.run("document.getElementById('record').click()")
    page.until("document.getElementById('record-told').textContent.endsWith('0:01')")
    page.run("document.getElementById('record').click()")
    page.until("document.getElementById('chosen').textContent.startsWith('recording ')")
    assert ".webm (" in page.run("document.getElementById('chosen').textContent")
    page.run("document.getElementById('kind').value = 'enhance'")
    page.run("document.getElementById('kind').dispatchEvent(new Event('change'))")
    page.run("document.getElementById('start').click()")
    page.until("document.querySelector('#jobs li .dim').textContent.endsWith('done')", 60)


def test_live_audio_is_heard_without_noise_and_tells_how_late(page: chromium.Browser) -> None:
    page.run("document.getElementById('live-start').click()")
    page.until("document.getElementById('live-told').textContent.includes('36 ms by design')", 60)
    levels = "[document.getElementById('live-in').value, document.getElementById('live-out').value]"
    page.until(f"(([heard, made]) => heard > -40 && made < heard - 10)({levels})", 60)
    page.run("document.getElementById('live-start').click()")
    assert page.run("document.getElementById('live-start').textContent") == "Start"
    assert page.run("document.getElementById('live-levels').hidden")


def test_a_licence_is_told_before_a_model_is_downloaded(page: chromium.Browser) -> None:
    page.run("document.getElementById('kind').value = 'align'")
    page.run("document.getElementById('kind').dispatchEvent(new Event('change'))")
    assert page.run("document.getElementById('text').checkVisibility()")
    page.run("document.querySelector('#more summary').click()")
    page.run("document.querySelector(\"#published [aria-label='Download facebook/wav2vec2-base-960h']\").click()")
    assert page.run("document.getElementById('agree').open")
    assert page.run("document.getElementById('agree-title').textContent") == "facebook/wav2vec2-base-960h, 378 MB"
    assert page.run("document.getElementById('terms').textContent").startswith("licence of the weights: Apache-2.0")
    page.run("[...document.querySelectorAll('#agree button')].find(b => b.textContent === 'Not now').click()")
    assert not page.run("document.getElementById('agree').open")


def test_it_complains_of_nothing(page: chromium.Browser) -> None:
    assert page.complaints() == []
