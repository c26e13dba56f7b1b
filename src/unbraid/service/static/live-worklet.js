// The audio thread of live.js: sends the microphone in blocks of 10 ms, and plays what comes back as soon as it can.
//
// Both are counted in samples since the start, so that the difference is how late the sound is, to the sample. What comes
// is kept for a moment first. A gap makes this moment longer; what was never needed for a while is cut off again.
const BLOCK_SECONDS = 0.01, LEAST_SECONDS = 0.03, MOST_SECONDS = 0.3, STEP_SECONDS = 0.01, BACKLOG_SECONDS = 0.2;
const CALM_SECONDS = 5, TELL_SECONDS = 0.25;

const power = samples => samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
const decibels = power => 10 * Math.log10(power + 1e-10);

class Live extends AudioWorkletProcessor {
  constructor() {
    super();
    Object.assign(this, {block: new Float32Array(Math.round(BLOCK_SECONDS * sampleRate)), filled: 0, sent: 0, queue: [],
      queued: 0, played: 0, playing: false, kept: LEAST_SECONDS, gaps: 0, calm: 0, unused: Infinity, bypass: false, told: 0, input: 0, output: 0});
    this.port.onmessage = event => {
      if (event.data instanceof ArrayBuffer) this.take(new Float32Array(event.data));
      else this.bypass = event.data.bypass;
    };
  }

  take(samples) {
    this.queue.push(samples);
    this.queued += samples.length;
    if (this.queued >= this.kept * sampleRate) this.playing = true;
    this.cut(this.queued - (this.kept + BACKLOG_SECONDS) * sampleRate);
  }

  cut(count) {
    for (let left = Math.floor(count); left > 0;) {
      const some = Math.min(left, this.queue[0].length);
      this.drop(some);
      left -= some;
    }
  }

  relax(seconds) {
    this.calm += seconds;
    this.unused = Math.min(this.unused, this.queued);
    if (this.calm < CALM_SECONDS) return;
    this.cut(this.unused - STEP_SECONDS * sampleRate);
    this.kept = Math.max(LEAST_SECONDS, this.kept - STEP_SECONDS);
    Object.assign(this, {calm: 0, unused: Infinity});
  }

  drop(count) {
    this.queued -= count;
    this.played += count;
    if (this.queue[0].length === count) this.queue.shift();
    else this.queue[0] = this.queue[0].subarray(count);
  }

  send(input) {
    for (let at = 0; at < input.length;) {
      const count = Math.min(input.length - at, this.block.length - this.filled);
      this.block.set(input.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === this.block.length) {
        const whole = this.block.slice().buffer;
        this.port.postMessage({block: whole}, [whole]);
        this.filled = 0;
      }
    }
    this.sent += input.length;
  }

  fill(output) {
    for (let at = 0; at < output.length && this.playing;) {
      if (!this.queued) { // a gap
        this.playing = false;
        Object.assign(this, {gaps: this.gaps + 1, calm: 0, unused: Infinity});
        this.kept = Math.min(this.kept + STEP_SECONDS, MOST_SECONDS);
        return;
      }
      const count = Math.min(output.length - at, this.queue[0].length);
      output.set(this.queue[0].subarray(0, count), at);
      this.drop(count);
      at += count;
    }
  }

  process([input], [[output]]) {
    const heard = input[0] ?? new Float32Array(output.length), seconds = output.length / sampleRate;
    this.send(heard);
    this.fill(output);
    this.relax(seconds);
    this.input += power(heard) * seconds / TELL_SECONDS;
    this.output += power(output) * seconds / TELL_SECONDS;
    if (this.bypass) output.set(heard);
    this.told += seconds;
    if (this.told >= TELL_SECONDS) this.tell();
    return true;
  }

  tell() {
    this.port.postMessage({late: this.playing ? (this.sent - this.played) / sampleRate : null, gaps: this.gaps,
      input: decibels(this.input), output: decibels(this.output)});
    this.told = this.input = this.output = 0;
  }
}

registerProcessor("live", Live);
