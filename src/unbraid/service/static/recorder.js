// A recording from the microphone, as a file like any other.
import {at, clock} from "./api.js";

const UNSAFE = "A browser gives the microphone only to pages of this machine, or over https.";
const PLAIN = {echoCancellation: false, noiseSuppression: false, autoGainControl: false}; // the sound as it is
const ENDINGS = {"audio/mp4": "m4a", "audio/ogg": "ogg"};

export function microphone() {
  return navigator.mediaDevices.getUserMedia({audio: PLAIN});
}

export function microphoneProblem(error) {
  if (!navigator.mediaDevices?.getUserMedia) return UNSAFE;
  if (error.name === "NotAllowedError") return "The browser does not allow the microphone; allow it for this page, and try again.";
  if (error.name === "NotFoundError") return "There is no microphone; connect one, and try again.";
  return `The microphone cannot be used (${error.message}).`;
}

export function offerRecording(take) {
  const button = at("record"), told = at("record-told");
  let recorder = null;

  async function start() {
    told.textContent = "Allow the microphone …";
    let stream;
    try {
      stream = await microphone();
    } catch (error) {
      told.textContent = microphoneProblem(error);
      return;
    }
    const pieces = [], begun = Date.now();
    const tell = () => { told.textContent = `Recording: ${clock((Date.now() - begun) / 1000)}`; };
    const timer = setInterval(tell, 500);
    tell();
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", event => pieces.push(event.data));
    recorder.addEventListener("stop", () => {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
      const type = recorder.mimeType, time = new Date(begun).toTimeString().slice(0, 5).replace(":", ".");
      recorder = null;
      button.textContent = "Record from the microphone";
      told.textContent = "";
      take(new File(pieces, `recording ${time}.${ENDINGS[type.split(";")[0]] ?? "webm"}`, {type}));
    });
    recorder.start(1000);
    button.textContent = "Stop recording";
  }

  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    button.disabled = true;
    told.textContent = UNSAFE;
    return;
  }
  button.addEventListener("click", () => recorder ? recorder.stop() : start());
}
