"use strict";
// One clock for all stems: they are decoded once, start at the same time of one audio context, and only their gains
// change. Everything that shows where we are reads position().
const page = document.querySelector("main");
const total = Number(page.dataset.seconds), sounding = Number(page.dataset.sounding);
const playButton = document.getElementById("play"), seekBar = document.getElementById("seek");
const clockText = document.getElementById("clock"), message = document.getElementById("message");
const lanes = [...document.querySelectorAll(".lane[data-stem]")].map(element => ({
  element, name: element.dataset.stem, sound: element.querySelector(".sound"),
  solo: element.querySelector("[data-solo]"), mute: element.querySelector("[data-mute]"),
  volume: element.querySelector("[data-volume]"), gain: null, source: null, buffer: null,
}));
const moved = []; // called with the position, as often as it is drawn
let context = null, loading = null, playing = false, offset = 0, startedAt = 0, timer = 0;

const pressed = button => button.getAttribute("aria-pressed") === "true";
const press = (button, on) => button.setAttribute("aria-pressed", String(on));
const clamp = seconds => Math.min(Math.max(seconds, 0), total);

function clock(seconds) {
  const whole = Math.floor(seconds), rest = String(whole % 60).padStart(2, "0"), minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

function position() {
  if (!playing) return offset;
  return Math.min(offset + Math.max(0, context.currentTime - startedAt - (context.outputLatency || 0)), sounding);
}

function load() {
  loading ??= (async () => {
    if (navigator.audioSession) navigator.audioSession.type = "playback"; // a phone on silent still plays
    context = new AudioContext({sampleRate: Number(page.dataset.rate)});
    const all = new GainNode(context, {gain: Number(page.dataset.gain)});
    all.connect(context.destination);
    for (const lane of lanes) {
      const bytes = Uint8Array.from(atob(lane.sound.textContent.trim()), character => character.charCodeAt(0));
      lane.buffer = await context.decodeAudioData(bytes.buffer);
      lane.gain = new GainNode(context, {gain: level(lane)});
      lane.gain.connect(all);
      lane.sound.remove();
    }
  })();
  return loading;
}

function level(lane) {
  const soloed = lanes.some(other => pressed(other.solo));
  const heard = soloed ? pressed(lane.solo) : !pressed(lane.mute);
  return heard ? Number(lane.volume.value) / 100 : 0;
}

function mix() {
  for (const lane of lanes) {
    lane.element.classList.toggle("quiet", level(lane) === 0);
    if (lane.gain) lane.gain.gain.setTargetAtTime(level(lane), context.currentTime, 0.01);
  }
}

function stopSources() {
  for (const lane of lanes) {
    lane.source?.stop();
    lane.source?.disconnect();
    lane.source = null;
  }
}

function startSources() {
  startedAt = context.currentTime + 0.05;
  for (const lane of lanes) {
    lane.source = new AudioBufferSourceNode(context, {buffer: lane.buffer});
    lane.source.connect(lane.gain);
    lane.source.start(startedAt, offset);
  }
}

async function play() {
  if (playButton.disabled) return;
  if (offset >= sounding && sounding < total) {
    message.textContent = `The sound of this page ends at ${clock(sounding)}; the files beside it are whole.`;
    return;
  }
  try {
    playButton.disabled = true;
    message.textContent = loading ? "" : "Preparing the sound …";
    await load();
    await context.resume();
    message.textContent = "";
  } catch (error) {
    message.textContent = `This browser cannot play the sound (${error.message}); the stems are files beside this page.`;
    return;
  } finally {
    playButton.disabled = false;
  }
  if (offset >= sounding) offset = 0;
  startSources();
  playing = true;
  show();
}

function pause() {
  offset = position();
  playing = false;
  stopSources();
  show();
}

function seek(seconds) {
  if (playing) stopSources();
  offset = clamp(seconds);
  playing &&= offset < sounding;
  if (playing) startSources();
  message.textContent = "";
  show();
}

function toggle() { playing ? pause() : play(); }

function show() {
  playButton.textContent = playing ? "Pause" : "Play";
  draw();
}

function draw() {
  cancelAnimationFrame(timer);
  const now = position();
  if (playing && now >= sounding) {
    pause();
    return;
  }
  page.style.setProperty("--at", `${100 * now / total}%`);
  seekBar.value = now;
  seekBar.setAttribute("aria-valuetext", `${clock(now)} of ${clock(total)}`);
  clockText.textContent = `${clock(now)} / ${clock(total)}`;
  for (const tell of moved) tell(now);
  if (playing) timer = requestAnimationFrame(draw);
}

for (const lane of lanes) {
  lane.solo.addEventListener("click", () => { press(lane.solo, !pressed(lane.solo)); mix(); });
  lane.mute.addEventListener("click", () => { press(lane.mute, !pressed(lane.mute)); mix(); });
  lane.volume.addEventListener("input", mix);
}
for (const view of document.querySelectorAll(".view")) {
  const go = event => {
    const box = view.getBoundingClientRect();
    seek((event.clientX - box.left) / box.width * total);
  };
  view.addEventListener("pointerdown", event => { if (event.button === 0) go(event); });
  view.addEventListener("pointermove", event => { if (event.buttons === 1) go(event); });
}
playButton.addEventListener("click", toggle);
seekBar.addEventListener("input", () => seek(Number(seekBar.value)));
document.getElementById("all").addEventListener("click", () => {
  for (const lane of lanes) {
    press(lane.solo, false);
    press(lane.mute, false);
    lane.volume.value = 100;
  }
  mix();
});
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target.closest("button, summary, a"), onVolume = event.target.closest("[data-volume]");
  const steps = {ArrowLeft: -5, ArrowRight: 5};
  if (event.key === " " && !onButton) toggle();
  else if (event.key in steps && !onVolume) seek(position() + steps[event.key]);
  else if (event.key === "Home" && !onVolume) seek(0);
  else if (lanes[Number(event.key) - 1]) lanes[Number(event.key) - 1].solo.click();
  else return;
  event.preventDefault();
});
document.documentElement.classList.add("scripted");
draw();
