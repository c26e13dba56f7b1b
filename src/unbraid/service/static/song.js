// The music of a song in the player: its key, chords in a strip, and melody and notes over time.
import {element} from "./api.js";

const COLOURS = 6, LEAST_PITCHES = 24;

export class Song {
  constructor(song, total, view) {
    Object.assign(this, {song, total});
    this.chords = song.chords.map(chord => {
      const shown = element("span", {className: "chord"}, chord.name);
      shown.style.left = `${100 * chord.start / total}%`;
      shown.style.width = `${100 * (chord.end - chord.start) / total}%`;
      shown.style.setProperty("--hue", chord.hue);
      return {...chord, shown};
    });
    this.now = element("strong");
    const facts = [song.key ? `Key: ${song.key}` : "", this.chords.length ? "Chord: " : ""].filter(Boolean).join(" · ");
    const parts = [element("h2", {}, "Music"), element("p", {}, facts, this.now)];
    if (this.chords.length) parts.push(this.strip(view));
    if (song.voices.length) parts.push(...this.roll(view));
    parts.push(...this.missing());
    this.place = element("section", {className: "turns"}, ...parts);
  }

  strip(view) {
    const strip = view("view chords", ...this.chords.map(chord => chord.shown));
    strip.setAttribute("role", "img");
    strip.setAttribute("aria-label", `${this.chords.length} chords`);
    return strip;
  }

  roll(view) {
    const told = this.song.voices.map(voice => `${voice.name}: ${voice.notes.length} note${voice.notes.length > 1 ? "s" : ""}`);
    this.canvas = element("canvas", {role: "img", ariaLabel: told.join(", ")});
    const legend = element("p", {className: "dim legend"}, ...told.map((text, index) => {
      const key = element("span", {}, element("span", {className: "dot"}), text);
      key.style.setProperty("--ink", `var(--c${index % COLOURS})`);
      return key;
    }));
    this.dots = [...legend.querySelectorAll(".dot")];
    return [view("view roll", this.canvas), legend];
  }

  missing() {
    const reasons = new Map();
    for (const {part, reason} of this.song.missing) reasons.set(reason, [...(reasons.get(reason) ?? []), part]);
    return [...reasons].map(([reason, parts]) => element("p", {className: "dim"}, `No ${parts.join(", no ")}: ${reason}.`));
  }

  move(now) {
    const there = this.chords.find(chord => chord.start <= now && now < chord.end);
    if (there === this.shown) return;
    this.shown?.shown.classList.remove("now");
    there?.shown.classList.add("now");
    this.now.textContent = there?.name ?? "";
    this.shown = there;
  }

  paint(scale) {
    if (!this.canvas?.clientWidth) return;
    const width = Math.round(this.canvas.clientWidth * scale), height = Math.round(this.canvas.clientHeight * scale);
    Object.assign(this.canvas, {width, height});
    const pen = this.canvas.getContext("2d"), pitches = this.song.voices.flatMap(voice => voice.notes.map(note => note[2]));
    const lowest = Math.min(...pitches), highest = Math.max(...pitches), count = Math.max(LEAST_PITCHES, highest - lowest + 3);
    const low = Math.floor((lowest + highest - count) / 2) + 1, tall = height / count;
    for (const [index, voice] of this.song.voices.entries()) {
      pen.fillStyle = getComputedStyle(this.dots[index]).backgroundColor;
      for (const [start, end, pitch] of voice.notes) {
        pen.fillRect(width * start / this.total, height - (pitch - low + 1) * tall,
          Math.max(scale, width * (end - start) / this.total), Math.max(2 * scale, tall));
      }
    }
  }
}
