// The sound of the player. All tracks are decoded once and start at the same time of one audio context; of a track that
// plays, only its volume and its place between left and right change. A loop is that of the sources, so it has no gap.
//
// At another tempo the sources play faster or slower, which moves their pitch, and the mix of them is moved back to it.
const FADE_SECONDS = 0.005; // at the edges of a muted passage, as in the mix that the service makes
const STRETCH = new URL("./vendor/signalsmith-stretch.mjs", import.meta.url).href;

export class Sound {
  constructor() { Object.assign(this, {context: null, loading: null, stretch: null, tempo: 1, late: 0, startedAt: 0}); }

  load(job, tracks) {
    this.loading ??= (async () => {
      this.context ??= new AudioContext();
      this.mix = new GainNode(this.context);
      this.mix.connect(this.context.destination);
      await Promise.all(tracks.map(async track => {
        const response = await fetch(`/v1/jobs/${job}/files/${encodeURIComponent(track.sound)}`);
        if (!response.ok) throw new Error("the service does not have it any more");
        track.buffer = await this.context.decodeAudioData(await response.arrayBuffer());
        track.gain = new GainNode(this.context, {gain: track.level});
        // Two channels, whatever the track has, so that one in the middle is as loud as it is without a panner.
        track.panner = new StereoPannerNode(this.context, {pan: track.place, channelCount: 2, channelCountMode: "explicit"});
        track.gain.connect(track.panner).connect(this.mix);
      }));
    })();
    this.loading.catch(() => { this.loading = null; });
    return this.loading;
  }

  async setTempo(tempo) {
    await this.loading;
    if (tempo !== 1 && !this.stretch) {
      const {default: make} = await import(STRETCH);
      make.moduleUrl = STRETCH; // its own file is also its AudioWorklet, which the content security policy lets in
      this.stretch = await make(this.context, {numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [2]});
      this.stretchSeconds = await this.stretch.latency();
      this.stretch.connect(this.context.destination);
    }
    this.stretch?.schedule({active: tempo !== 1, semitones: -12 * Math.log2(tempo)});
    this.mix.disconnect();
    this.mix.connect(tempo === 1 ? this.context.destination : this.stretch);
    this.late = tempo === 1 ? 0 : this.stretchSeconds;
    this.tempo = tempo;
  }

  // The seconds of the recording that were heard since the start.
  heard() {
    const delay = this.late + (this.context.outputLatency || 0);
    return Math.max(0, this.context.currentTime - this.startedAt - delay) * this.tempo;
  }

  set(track) {
    track.gain?.gain.setTargetAtTime(track.level, this.context.currentTime, 0.01);
    track.panner?.pan.setTargetAtTime(track.place, this.context.currentTime, 0.01);
  }

  start(tracks, offset, loop) {
    this.startedAt = this.context.currentTime + 0.05;
    for (const track of tracks) {
      track.audible ??= this.without(track.buffer, track.passages);
      track.source = new AudioBufferSourceNode(this.context, {buffer: track.audible, playbackRate: this.tempo,
        loop: Boolean(loop), loopStart: loop?.[0] ?? 0, loopEnd: loop?.[1] ?? 0});
      track.source.connect(track.gain);
      track.source.start(this.startedAt, offset);
    }
  }

  stop(tracks) {
    for (const track of tracks) {
      track.source?.stop();
      track.source?.disconnect();
      track.source = null;
    }
  }

  // A buffer without these passages.
  without(buffer, passages) {
    if (!passages.length) return buffer;
    const rate = buffer.sampleRate, made = new AudioBuffer({length: buffer.length, numberOfChannels: buffer.numberOfChannels,
      sampleRate: rate});
    for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
      const samples = buffer.getChannelData(channel).slice();
      for (const [start, end] of passages) {
        const first = Math.ceil(start * rate), last = Math.min(Math.floor(end * rate), samples.length - 1);
        for (let at = first; at <= last; at++) {
          const inside = Math.min(at / rate - start, end - at / rate) / FADE_SECONDS;
          samples[at] *= Math.min(1, Math.max(0, 1 - inside));
        }
      }
      made.copyToChannel(samples, channel);
    }
    return made;
  }

  close() { this.context?.close(); }
}
