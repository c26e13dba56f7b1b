// The player of a job: its tracks side by side, with the text, the turns or the music in step with the sound.
import {call, clock, element} from "./api.js";
import {Song} from "./song.js";
import {Sound} from "./sound.js";

const STEP_SECONDS = 5, COLOURS = 6;
let current = null;

export function closePlayer(place) {
  current?.close();
  current = null;
  place.hidden = true;
  place.replaceChildren();
}

export async function openPlayer(place, job, close) {
  closePlayer(place);
  place.hidden = false;
  const heading = element("h2", {id: "player-title", tabIndex: -1}, job.name);
  place.append(heading, element("p", {className: "dim"}, "Loading …"));
  try {
    const data = await call("GET", `/v1/jobs/${job.id}/files/player.json`);
    if (place.firstChild !== heading) return; // another job was opened meanwhile
    current = new Player(place, heading, job, data, close);
  } catch (error) {
    place.append(element("p", {className: "error"}, error.message));
  }
  heading.focus({preventScroll: true});
  place.scrollIntoView({block: "start"});
}

const pressed = button => button.getAttribute("aria-pressed") === "true";
const press = (button, on) => button.setAttribute("aria-pressed", String(on));
const button = (text, attributes = {}) => element("button", {type: "button", ...attributes}, text);

class Player {
  constructor(place, heading, job, data, close) {
    Object.assign(this, {place, job, data, total: data.seconds, sounding: data.heard_seconds,
      sound: new Sound(), playing: false, offset: 0, timer: 0, first: null, last: null, cursors: [], words: []});
    this.over = new AbortController();
    const closing = button("Close", {ariaLabel: "Close the player"});
    closing.addEventListener("click", close);
    const bar = element("div", {className: "bar"}, heading, element("span", {className: "dim"}, `by ${data.model}`), element("div", {className: "controls"}, closing));
    this.tracks = data.tracks.map((track, index) => this.lane(track, index));
    const notices = job.notices.map(notice => element("p", {className: "dim"}, `Note: ${notice}`));
    place.replaceChildren(bar, ...notices, this.transport(), this.message = element("p", {role: "status"}),
      ...this.tracks.map(track => track.lane), ...this.music(), ...this.turns(), ...this.transcript(), this.downloads(),
      this.help());
    this.listen();
    this.draw();
  }

  transport() {
    this.playButton = button("Play", {id: "play"});
    this.seekBar = element("input", {type: "range", min: 0, max: this.total, step: "any", value: 0, ariaLabel: "Position"});
    this.clockText = element("output");
    this.setFirst = button("A", {ariaLabel: "Begin the loop here", title: "Begin the loop here (a)"});
    this.setLast = button("B", {ariaLabel: "End the loop here", title: "End the loop here (b)"});
    this.noLoop = button("No loop", {title: "Play on (l)", disabled: true});
    const all = button("All tracks", {title: "No solo, no mute, full volume, in the middle"});
    this.playButton.addEventListener("click", () => this.toggle());
    this.seekBar.addEventListener("input", () => this.seek(Number(this.seekBar.value)));
    this.setFirst.addEventListener("click", () => this.loop(this.position(), this.last));
    this.setLast.addEventListener("click", () => this.loop(this.first ?? 0, this.position()));
    this.noLoop.addEventListener("click", () => this.loop(null, null));
    all.addEventListener("click", () => {
      for (const track of this.tracks) {
        press(track.solo, false);
        press(track.mute, false);
        track.volume.value = 100;
        track.pan.value = 0;
      }
      this.mix();
    });
    const tempo = element("input", {type: "range", min: 50, max: 150, step: 5, value: 100, ariaLabel: "Tempo in per cent"});
    this.tempoText = element("output", {}, "100 %");
    tempo.addEventListener("change", () => this.setTempo(Number(tempo.value)));
    tempo.addEventListener("input", () => { this.tempoText.textContent = `${tempo.value} %`; });
    const slow = element("label", {className: "small"}, "Tempo", tempo, this.tempoText);
    const loop = element("div", {className: "loop", role: "group", ariaLabel: "Loop"}, this.setFirst, this.setLast, this.noLoop);
    const bar = element("div", {className: "transport", role: "group", ariaLabel: "Playback"}, this.playButton,
      this.seekBar, this.clockText, loop, slow);
    if (this.tracks.length > 1) bar.append(all);
    return bar;
  }

  lane(track, index) {
    const control = what => button(what, {ariaLabel: `${what} ${track.name}`, ariaPressed: "false"});
    const solo = control("Solo"), mute = control("Mute");
    const volume = element("input", {type: "range", min: 0, max: 100, value: 100, ariaLabel: `Volume of ${track.name}`});
    const controls = element("div", {className: "controls"});
    if (this.data.tracks.length > 1) controls.append(solo);
    const pan = element("input", {type: "range", min: -100, max: 100, step: 10, value: 0, title: "Left or right",
      ariaLabel: `Pan of ${track.name}, from left to right`});
    const passage = button("Mute A–B", {ariaLabel: `Mute A–B of ${track.name}`,
      title: "Mute this track from A to B, or no more", disabled: true});
    controls.append(mute, volume, element("span", {className: "small"}, "L", pan, "R"));
    if (this.data.tracks.length > 1) controls.append(passage);
    if (track.file) controls.append(this.link(track.file, "Download", `Download ${track.file}`));
    const canvas = element("canvas", {role: "img", ariaLabel: `Waveform of ${track.name}`});
    const view = this.view("view", canvas);
    const lane = element("section", {className: "lane"}, element("header", {}, element("h3", {},
      element("span", {className: "dot"}), track.name), controls), view);
    lane.style.setProperty("--ink", `var(--c${index % COLOURS})`);
    const made = {...track, lane, view, canvas, solo, mute, volume, pan, passage, level: 1, place: 0, passages: [],
      buffer: null, audible: null, gain: null, panner: null, source: null};
    for (const toggle of [solo, mute]) {
      toggle.addEventListener("click", () => { press(toggle, !pressed(toggle)); this.mix(); });
    }
    volume.addEventListener("input", () => this.mix());
    pan.addEventListener("input", () => this.mix());
    passage.addEventListener("click", () => this.mutePassage(made));
    return made;
  }

  view(name, ...inside) {
    const range = element("div", {className: "range", hidden: true}), cursor = element("div", {className: "cursor"});
    const view = element("div", {className: name}, ...inside, range, cursor);
    this.cursors.push({range, cursor});
    const go = event => {
      const box = view.getBoundingClientRect();
      this.seek((event.clientX - box.left) / box.width * this.total);
    };
    view.addEventListener("pointerdown", event => { if (event.button === 0) go(event); });
    view.addEventListener("pointermove", event => { if (event.buttons === 1) go(event); });
    return view;
  }

  turns() {
    const names = [...new Set(this.data.turns.map(turn => turn.speaker))];
    if (!names.length) return [];
    const strips = names.map((name, index) => {
      const mine = this.data.turns.filter(turn => turn.speaker === name);
      const bars = mine.map(turn => {
        const bar = element("span", {className: "turn", title: `${name}, ${clock(turn.start)} to ${clock(turn.end)}`});
        bar.style.left = `${100 * turn.start / this.total}%`;
        bar.style.width = `${100 * (turn.end - turn.start) / this.total}%`;
        return bar;
      });
      const spoken = mine.reduce((sum, turn) => sum + turn.end - turn.start, 0);
      const view = this.view("view strip", ...bars);
      view.setAttribute("role", "img");
      view.setAttribute("aria-label", `${name} speaks ${mine.length} times, ${clock(spoken)} in all`);
      const lane = element("section", {className: "lane"}, element("header", {}, element("h3", {},
        element("span", {className: "dot"}), name), element("span", {className: "dim"}, clock(spoken))), view);
      lane.style.setProperty("--ink", `var(--c${index % COLOURS})`);
      return lane;
    });
    return [element("section", {className: "turns"}, element("h2", {}, "Who speaks when"), ...strips)];
  }

  music() {
    if (!this.data.song) return [];
    this.song = new Song(this.data.song, this.total, (...inside) => this.view(...inside));
    return [this.song.place];
  }

  transcript() {
    if (!["transcribe", "align"].includes(this.job.kind)) return [];
    const lines = this.data.lines.map(line => {
      if (line.start === null) return element("p", {className: "dim"}, element("em", {}, "not found"), line.text);
      const jump = button(clock(line.start), {ariaLabel: `Play from ${clock(line.start)}`});
      jump.addEventListener("click", () => this.seek(line.start));
      const text = element("span");
      if (line.speaker) text.append(element("strong", {}, `${line.speaker}: `));
      for (const word of line.words) {
        const shown = element("span", {className: "word"}, word.word);
        shown.addEventListener("click", () => this.seek(word.start));
        this.words.push({...word, shown});
        text.append(shown, " ");
      }
      return element("p", {}, jump, text);
    });
    if (!lines.length) lines.push(element("p", {}, "No words were heard."));
    return [element("section", {className: "transcript", tabIndex: 0, ariaLabel: "Transcript"}, ...lines)];
  }

  link(name, text, label) {
    return element("a", {className: "button", href: `/v1/jobs/${this.job.id}/files/${encodeURIComponent(name)}`,
      download: "", ariaLabel: label}, text);
  }

  downloads() {
    const shown = new Set(this.data.tracks.map(track => track.file));
    const others = this.job.files.filter(file => file.role === "result" && !shown.has(file.name));
    const all = element("a", {className: "button main", href: `/v1/jobs/${this.job.id}/zip`, download: ""}, "Download all (ZIP)");
    const made = [];
    if (this.tracks.length > 1 && this.tracks.every(track => track.file)) {
      const mix = element("a", {className: "button", href: this.mixAddress(), download: ""}, "Download the mix as set");
      mix.addEventListener("click", () => { mix.href = this.mixAddress(); });
      made.push(mix);
    }
    return element("div", {className: "downloads"}, all, ...made, ...others.map(file => this.link(file.name, file.name, `Download ${file.name}`)));
  }

  mixAddress() {
    const query = new URLSearchParams();
    for (const track of this.tracks) {
      query.append("track", `${track.name}:${track.level}:${track.place}`);
      for (const [start, end] of track.passages) query.append("mute", `${track.name}:${start.toFixed(3)}:${end.toFixed(3)}`);
    }
    return `/v1/jobs/${this.job.id}/mix?${query}`;
  }

  help() {
    const keys = [["space", "play"], ["← →", "5 s"], ["Home", "start"], ["1–9", "solo"], ["a b", "loop"], ["l", "no loop"]];
    const help = element("p", {className: "dim"}, "Keys: ");
    for (const [key, what] of keys) help.append(element("kbd", {}, key), ` ${what}  `);
    help.append("· Sound on this page is a preview; downloads are whole.");
    return help;
  }

  listen() {
    const signal = this.over.signal;
    new ResizeObserver(() => this.paint()).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint(), {signal});
    document.addEventListener("keydown", event => this.key(event), {signal});
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=range]), select, textarea")) return;
    const onButton = event.target.closest("button, a, label"), onRange = event.target.closest("input[type=range]");
    const steps = {ArrowLeft: -STEP_SECONDS, ArrowRight: STEP_SECONDS}, track = this.tracks[Number(event.key) - 1];
    if (event.key === " " && !onButton) this.toggle();
    else if (event.key in steps && (!onRange || onRange === this.seekBar)) this.seek(this.position() + steps[event.key]);
    else if (event.key === "Home" && (!onRange || onRange === this.seekBar)) this.seek(0);
    else if (event.key === "a") this.setFirst.click();
    else if (event.key === "b") this.setLast.click();
    else if (event.key === "l") this.noLoop.click();
    else if (track) track.solo.click();
    else return;
    event.preventDefault();
  }

  // Sound

  position() {
    if (!this.playing) return this.offset;
    const now = this.offset + this.sound.heard();
    if (this.loops() && now >= this.last) return this.first + (now - this.first) % (this.last - this.first);
    return Math.min(now, this.sounding);
  }

  loops() { return this.first !== null && this.last !== null && this.offset < this.last; }

  start() { this.sound.start(this.tracks, this.offset, this.loops() ? [this.first, this.last] : null); }

  level(track) {
    const heard = this.tracks.some(other => pressed(other.solo)) ? pressed(track.solo) : !pressed(track.mute);
    return heard ? Number(track.volume.value) / 100 : 0;
  }

  mix() {
    for (const track of this.tracks) {
      track.level = this.level(track);
      track.place = Number(track.pan.value) / 100;
      track.lane.classList.toggle("quiet", track.level === 0);
      this.sound.set(track);
    }
    this.paint();
  }

  async setTempo(percent) {
    this.tempoText.textContent = `${percent} %`;
    const now = this.position();
    if (this.playing) this.sound.stop(this.tracks);
    this.offset = now;
    await this.change(() => this.sound.setTempo(percent / 100));
    if (this.playing) this.start();
    this.show();
  }

  // Mutes the passage between A and B of one track, or gives back the passages that lie in it.
  mutePassage(track) {
    const [first, last] = [this.first ?? 0, this.last ?? this.total];
    const kept = track.passages.filter(([start, end]) => end <= first || start >= last);
    track.passages = kept.length < track.passages.length ? kept : [...kept, [first, last]];
    track.audible = null;
    for (const shown of track.view.querySelectorAll(".passage")) shown.remove();
    for (const [start, end] of track.passages) {
      const shown = element("div", {className: "passage"});
      shown.style.left = `${100 * start / this.total}%`;
      shown.style.width = `${100 * (end - start) / this.total}%`;
      track.view.append(shown);
    }
    const muted = track.passages.map(([start, end]) => `${clock(start)} to ${clock(end)}`).join(", ");
    this.message.textContent = muted ? `${track.name} is muted from ${muted}.` : `No passage of ${track.name} is muted.`;
    if (this.playing) this.restart();
  }

  restart() {
    this.offset = this.position();
    this.sound.stop(this.tracks);
    this.start();
  }

  // The sound is prepared before anything is done with it.
  async change(act = () => {}) {
    try {
      this.playButton.disabled = true;
      if (!this.sound.context) this.message.textContent = "Preparing the sound …";
      await this.sound.load(this.job.id, this.tracks);
      await this.sound.context.resume();
      await act();
      if (this.message.textContent === "Preparing the sound …") this.message.textContent = "";
      return true;
    } catch (error) {
      this.message.textContent = `This browser cannot play the sound (${error.message}); download the files instead.`;
      return false;
    } finally {
      this.playButton.disabled = false;
    }
  }

  async play() {
    if (this.playButton.disabled) return;
    if (this.offset >= this.sounding && this.sounding < this.total) {
      this.message.textContent = `The preview ends at ${clock(this.sounding)}; downloads are whole.`;
      return;
    }
    this.message.textContent = "";
    if (!await this.change()) return;
    if (this.offset >= this.sounding) this.offset = 0;
    this.start();
    this.playing = true;
    this.show();
  }

  pause() {
    this.offset = this.position();
    this.playing = false;
    this.sound.stop(this.tracks);
    this.show();
  }

  toggle() { this.playing ? this.pause() : this.play(); }

  seek(seconds) {
    if (this.playing) this.sound.stop(this.tracks);
    this.offset = Math.min(Math.max(seconds, 0), this.total);
    this.playing &&= this.offset < this.sounding;
    if (this.playing) this.start();
    this.message.textContent = "";
    this.show();
  }

  loop(first, last) {
    const now = this.position();
    if (first !== null && last !== null && last - first < 0.05) last = null;
    [this.first, this.last] = [first, last];
    this.noLoop.disabled = first === null && last === null;
    for (const track of this.tracks) track.passage.disabled = this.noLoop.disabled && !track.passages.length;
    this.setFirst.textContent = first === null ? "A" : `A ${clock(first)}`;
    this.setLast.textContent = last === null ? "B" : `B ${clock(last)}`;
    for (const {range} of this.cursors) {
      range.hidden = first === null;
      range.style.left = `${100 * (first ?? 0) / this.total}%`;
      range.style.width = `${100 * ((last ?? this.total) - (first ?? 0)) / this.total}%`;
    }
    this.seek(first !== null && last !== null && (now < first || now >= last) ? first : now);
  }

  // Drawing

  show() {
    this.playButton.textContent = this.playing ? "Pause" : "Play";
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.timer);
    const now = this.position();
    if (this.playing && !this.loops() && now >= this.sounding) return this.pause();
    this.place.style.setProperty("--at", `${100 * now / this.total}%`);
    this.seekBar.value = now;
    this.seekBar.setAttribute("aria-valuetext", `${clock(now)} of ${clock(this.total)}`);
    this.clockText.textContent = `${clock(now)} / ${clock(this.total)}`;
    for (const word of this.words) word.shown.classList.toggle("now", this.playing && word.start <= now && now < word.end);
    this.song?.move(now);
    if (this.playing) this.timer = requestAnimationFrame(() => this.draw());
  }

  paint() {
    const scale = devicePixelRatio || 1;
    this.song?.paint(scale);
    for (const track of this.tracks) {
      const {canvas, peaks} = track, width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
      if (!width) continue;
      Object.assign(canvas, {width, height});
      const pen = canvas.getContext("2d");
      pen.fillStyle = getComputedStyle(track.lane.querySelector(".dot")).backgroundColor;
      pen.globalAlpha = this.level(track) === 0 ? 0.3 : 1;
      const columns = Math.min(peaks.length, Math.floor(width / scale / 2)) || 1;
      for (let column = 0; column < columns; column++) {
        const from = Math.floor(column * peaks.length / columns), to = Math.max(from + 1, Math.floor((column + 1) * peaks.length / columns));
        const peak = Math.max(...peaks.slice(from, to)), tall = Math.max(scale, peak * (height - 4 * scale));
        pen.fillRect(column * width / columns, (height - tall) / 2, Math.max(1, width / columns - scale * 0.5), tall);
      }
    }
  }

  close() {
    this.over.abort();
    cancelAnimationFrame(this.timer);
    this.sound.stop(this.tracks);
    this.sound.close();
  }
}
