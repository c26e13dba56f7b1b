// Live audio: the microphone goes through an AudioWorklet and a WebSocket to the service, and comes back without noise.
import {at, element} from "./api.js";
import {microphone, microphoneProblem} from "./recorder.js";

let running = null;

export function offerLive(models) {
  at("live").hidden = !models.length;
  if (running) return;
  at("live-model").replaceChildren(...models.map(model => element("option", {value: model.name}, model.name)));
  const usual = models.find(model => model.kinds.includes("enhance"));
  if (usual) at("live-model").value = usual.name;
}

const milliseconds = seconds => `${Math.round(1000 * seconds)} ms`;

class Stream {
  async start(model) {
    this.microphone = await microphone();
    this.context = new AudioContext({latencyHint: "interactive"});
    await this.context.audioWorklet.addModule("/static/live-worklet.js");
    if (this.stopped) return this.free();
    const query = new URLSearchParams({model, sample_rate: String(this.context.sampleRate)});
    this.socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/v1/live?${query}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("message", event => this.take(event.data));
    this.socket.addEventListener("close", () => this.stop(this.problem ?? "The service has ended the connection; start again."));
  }

  take(data) {
    if (data instanceof ArrayBuffer) return this.node?.port.postMessage(data, [data]);
    const told = JSON.parse(data);
    if (told.error) this.problem = told.error;
    else this.play(told);
  }

  play(about) {
    if (this.stopped) return;
    this.about = about;
    this.node = new AudioWorkletNode(this.context, "live", {numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [1],
      channelCount: 1, channelCountMode: "explicit"});
    this.node.port.onmessage = event => event.data.block ? this.send(event.data.block) : this.tell(event.data);
    this.bypass();
    this.context.createMediaStreamSource(this.microphone).connect(this.node).connect(this.context.destination);
    at("live-levels").hidden = false;
  }

  send(block) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(block);
  }

  bypass() { this.node?.port.postMessage({bypass: at("live-bypass").checked}); }

  tell({late, gaps, input, output}) {
    if (this.stopped) return;
    const design = this.about.latency_seconds, card = this.context.baseLatency + (this.context.outputLatency || 0);
    const told = late === null ? "Waiting for the service …" : `${milliseconds(late + design)} late: ${milliseconds(design)} by `
      + `design, ${milliseconds(late)} for the way and computing; and ${milliseconds(card)} of the sound card.`;
    at("live-told").textContent = gaps ? `${told} ${gaps} gap${gaps > 1 ? "s" : ""} so far.` : told;
    at("live-in").value = input;
    at("live-out").value = output;
  }

  free() {
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.context?.close();
    if (this.socket?.readyState <= WebSocket.OPEN) this.socket.close();
  }

  stop(message) {
    if (this.stopped) return;
    this.stopped = true;
    this.free();
    running = null;
    at("live-start").textContent = "Start";
    at("live-model").disabled = false;
    at("live-levels").hidden = true;
    at("live-told").textContent = message;
  }
}

at("live-bypass").addEventListener("change", () => running?.bypass());
at("live-start").addEventListener("click", async () => {
  if (running) return running.stop("");
  const stream = running = new Stream();
  at("live-start").textContent = "Stop";
  at("live-model").disabled = true;
  at("live-told").textContent = "Allow the microphone …";
  try {
    await stream.start(at("live-model").value);
  } catch (error) {
    stream.stop(microphoneProblem(error));
  }
});
