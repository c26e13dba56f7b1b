// The player of a job. One clock for all tracks, as on the page of --report: they are decoded once, start at the same
// time of one audio context, and only their gains change. A loop is that of the sources, so it has no gap.
import {call, clock, element} from "./api.js";

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
    Object.assign(this, {place, job, data, total: data.seconds, sounding: data.heard_seconds, context: null,
      loading: null, playing: false, offset: 0, startedAt: 0, timer: 0, first: null, last: null, cursors: [], words: []});
    this.over = new AbortController();
    const closing = button("Close", {ariaLabel: "Close the player"});
    closing.addEventListener("click", close);
    const bar = element("div", {className: "bar"}, heading, element("span", {className: "dim"}, `by ${data.model}`), element("div", {className: "controls"}, closing));
    this.tracks = data.tracks.map((track, index) => this.lane(track, index));
    const notices = job.notices.map(notice => element("p", {className: "dim"}, `Note: ${notice}`));
    place.replaceChildren(bar, ...notices, this.transport(), this.message = element("p", {role: "status"}),
      ...this.tracks.map(track => track.lane), ...this.turns(), ...this.transcript(), this.downloads(), this.help());
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
    const all = button("All tracks", {title: "No solo, no mute, full volume"});
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
      }
      this.mix();
    });
    const loop = element("div", {className: "loop", role: "group", ariaLabel: "Loop"}, this.setFirst, this.setLast, this.noLoop);
    const bar = element("div", {className: "transport", role: "group", ariaLabel: "Playback"}, this.playButton,
      this.seekBar, this.clockText, loop);
    if (this.tracks.length > 1) bar.append(all);
    return bar;
  }

  lane(track, index) {
    const control = what => button(what, {ariaLabel: `${what} ${track.name}`, ariaPressed: "false"});
    const solo = control("Solo"), mute = control("Mute");
    const volume = element("input", {type: "range", min: 0, max: 100, value: 100, ariaLabel: `Volume of ${track.name}`});
    const controls = element("div", {className: "controls"});
    if (this.data.tracks.length > 1) controls.append(solo);
    controls.append(mute, volume);
    if (track.file) controls.append(this.link(track.file, "Download", `Download ${track.file}`));
    const canvas = element("canvas", {role: "img", ariaLabel: `Waveform of ${track.name}`});
    const view = this.view("view", canvas);
    const lane = element("section", {className: "lane"}, element("header", {}, element("h3", {},
      element("span", {className: "dot"}), track.name), controls), view);
    lane.style.setProperty("--ink", `var(--c${index % COLOURS})`);
    const made = {...track, lane, canvas, solo, mute, volume, gain: null, source: null, buffer: null};
    for (const toggle of [solo, mute]) {
      toggle.addEventListener("click", () => { press(toggle, !pressed(toggle)); this.mix(); });
    }
    volume.addEventListener("input", () => this.mix());
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

  transcript() {
    if (this.job.kind !== "transcribe") return [];
    const lines = this.data.lines.map(line => {
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
    return element("div", {className: "downloads"}, all, ...others.map(file => this.link(file.name, file.name, `Download ${file.name}`)));
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
    const late = Math.max(0, this.context.currentTime - this.startedAt - (this.context.outputLatency || 0));
    const now = this.offset + late;
    if (this.loops() && now >= this.last) return this.first + (now - this.first) % (this.last - this.first);
    return Math.min(now, this.sounding);
  }

  loops() { return this.first !== null && this.last !== null && this.offset < this.last; }

  load() {
    this.loading ??= (async () => {
      this.context = new AudioContext();
      await Promise.all(this.tracks.map(async track => {
        const response = await fetch(`/v1/jobs/${this.job.id}/files/${encodeURIComponent(track.sound)}`);
        if (!response.ok) throw new Error("the service does not have it any more");
        track.buffer = await this.context.decodeAudioData(await response.arrayBuffer());
        track.gain = new GainNode(this.context, {gain: this.level(track)});
        track.gain.connect(this.context.destination);
      }));
    })();
    this.loading.catch(() => { this.loading = null; });
    return this.loading;
  }

  level(track) {
    const heard = this.tracks.some(other => pressed(other.solo)) ? pressed(track.solo) : !pressed(track.mute);
    return heard ? Number(track.volume.value) / 100 : 0;
  }

  mix() {
    for (const track of this.tracks) {
      track.lane.classList.toggle("quiet", this.level(track) === 0);
      track.gain?.gain.setTargetAtTime(this.level(track), this.context.currentTime, 0.01);
    }
    this.paint();
  }

  stopSources() {
    for (const track of this.tracks) {
      track.source?.stop();
      track.source?.disconnect();
      track.source = null;
    }
  }

  startSources() {
    this.startedAt = this.context.currentTime + 0.05;
    const loop = this.loops();
    for (const track of this.tracks) {
      track.source = new AudioBufferSourceNode(this.context, {buffer: track.buffer, loop,
        loopStart: loop ? this.first : 0, loopEnd: loop ? this.last : 0});
      track.source.connect(track.gain);
      track.source.start(this.startedAt, this.offset);
    }
  }

  async play() {
    if (this.playButton.disabled) return;
    if (this.offset >= this.sounding && this.sounding < this.total) {
      this.message.textContent = `The preview ends at ${clock(this.sounding)}; downloads are whole.`;
      return;
    }
    try {
      this.playButton.disabled = true;
      this.message.textContent = this.context ? "" : "Preparing the sound …";
      await this.load();
      await this.context.resume();
      this.message.textContent = "";
    } catch (error) {
      this.message.textContent = `This browser cannot play the sound (${error.message}); download the files instead.`;
      return;
    } finally {
      this.playButton.disabled = false;
    }
    if (this.offset >= this.sounding) this.offset = 0;
    this.startSources();
    this.playing = true;
    this.show();
  }

  pause() {
    this.offset = this.position();
    this.playing = false;
    this.stopSources();
    this.show();
  }

  toggle() { this.playing ? this.pause() : this.play(); }

  seek(seconds) {
    if (this.playing) this.stopSources();
    this.offset = Math.min(Math.max(seconds, 0), this.total);
    this.playing &&= this.offset < this.sounding;
    if (this.playing) this.startSources();
    this.message.textContent = "";
    this.show();
  }

  loop(first, last) {
    const now = this.position();
    if (first !== null && last !== null && last - first < 0.05) last = null;
    [this.first, this.last] = [first, last];
    this.noLoop.disabled = first === null && last === null;
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
    if (this.playing) this.timer = requestAnimationFrame(() => this.draw());
  }

  paint() {
    const scale = devicePixelRatio || 1;
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
    this.stopSources();
    this.context?.close();
  }
}
