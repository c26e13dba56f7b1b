// The page: a form for a new job, the list of jobs as they change, and the player of one of them.
import {at, call, clock, element, send} from "./api.js";
import {offerLive} from "./live.js";
import {offerModels, showModelsFor} from "./models.js";
import {closePlayer, openPlayer} from "./player.js";
import {offerRecording} from "./recorder.js";

const FINISHED = ["done", "failed", "cancelled"];
const TASKS = {separate: "Separation", enhance: "Noise removal", transcribe: "Transcript",
  align: "Alignment", diarize: "Who speaks when", analyse: "Analysis"};
const AUTOMATIC = {separate: "by what it sounds like", align: "by the letters of the text"}; // kinds that need no model
const FIELDS = {separate: ["model", "speakers", "format", "residual"], enhance: ["model", "strength", "format"],
  transcribe: ["model", "separate"], align: ["model", "text", "vocals", "words"], diarize: ["model", "speakers"],
  analyse: ["model", "format", "stems", "force"]};
const jobs = new Map(); // id: {job, row}
let models = [], limits = null, file = null, upload = null, stream = null, opened = null;

function fillModels() {
  const kind = at("kind").value, able = models.filter(model => model.kinds.includes(kind));
  const options = able.map(model => element("option", {value: model.name}, model.name));
  if (kind in AUTOMATIC) options.unshift(element("option", {value: ""}, `automatic: ${AUTOMATIC[kind]}`));
  at("model").replaceChildren(...options);
  const usual = able.find(model => model.default_for.includes(kind));
  if (!(kind in AUTOMATIC) && usual) at("model").value = usual.name;
  for (const field of document.querySelectorAll("[data-for]")) {
    field.hidden = !field.dataset.for.split(" ").includes(kind);
  }
  at("text").required = kind === "align";
  describeModel();
  showModelsFor(kind);
}

function describeModel() {
  const model = models.find(other => other.name === at("model").value);
  const hasLetters = models.some(other => other.kinds.includes("align") && other.name !== "digits");
  if (model) {
    const stems = model.stems.length ? `${model.stems.join(", ")} · ` : "";
    const more = at("kind").value === "analyse" ? "Melody, notes, key, chords and stems: " : "";
    at("about-model").textContent = `${more}${stems}${model.sample_rate / 1000} kHz · licence ${model.licence}`;
  } else if (at("kind").value === "separate") {
    at("about-model").textContent = "Songs are separated into vocals, drums, bass and other; speech into a track for each person.";
  } else {
    at("about-model").textContent = hasLetters ? "The words stay as they are written; each gets its time."
      : "Only digits can be aligned so far; models for English are below, under More models for this task.";
  }
}

function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  at("chosen").textContent = `${file.name} (${(file.size / 1e6).toFixed(1)} MB)`;
  const large = limits && file.size > limits.upload_bytes;
  at("new-message").textContent = large ? `The file has more than ${limits.upload_bytes / 1e6} MB.` : "";
  at("start").disabled = Boolean(large);
}

function form() {
  const kind = at("kind").value, filled = new FormData();
  filled.append("kind", kind);
  for (const name of FIELDS[kind]) {
    const input = at(name), value = input.type === "checkbox" ? String(input.checked) : input.value;
    if (value) filled.append(name, value);
  }
  filled.append("file", file);
  return filled;
}

async function start(event) {
  event.preventDefault();
  if (!file || upload) return;
  at("new-message").textContent = "";
  at("start").disabled = true;
  at("sending").hidden = at("stop-sending").hidden = false;
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
  upload = send(form(), key, done => { at("sending").value = done; });
  try {
    show(await upload.answer);
  } catch (error) {
    at("new-message").textContent = error.message;
    if (error.status === 401) begin();
  } finally {
    upload = null;
    at("sending").hidden = at("stop-sending").hidden = true;
    at("sending").value = 0;
    at("start").disabled = false;
  }
}

function state(job) {
  if (job.state === "queued") return job.waiting ? `waits for ${job.waiting} other${job.waiting > 1 ? "s" : ""}` : "waits";
  if (job.state !== "running") return job.state;
  const left = job.remaining_seconds;
  return `${Math.round(100 * job.progress)} %${left === null ? "" : `, about ${clock(Math.ceil(left))} left`}`;
}

function when(seconds) {
  const date = new Date(1000 * seconds), today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], today ? {timeStyle: "short"} : {dateStyle: "medium", timeStyle: "short"});
}

function show(job) {
  let entry = jobs.get(job.id);
  if (!entry) {
    entry = {row: element("li")};
    entry.parts = {
      name: element("span", {className: "name"}), state: element("span", {className: "dim"}),
      bar: element("progress", {max: 1}), open: element("button", {type: "button"}, "Open"),
      cancel: element("button", {type: "button"}, "Cancel"), remove: element("button", {type: "button"}, "Delete"),
      error: element("p", {className: "error"})};
    const {name, state: told, bar, open, cancel, remove, error} = entry.parts;
    entry.row.append(element("div", {className: "about"}, name, element("br"), told), bar, open, cancel, remove, error);
    bar.setAttribute("aria-label", `Progress of ${job.name}`);
    for (const [what, button] of Object.entries({Open: open, Cancel: cancel, Delete: remove})) {
      button.setAttribute("aria-label", `${what} ${job.name}`);
    }
    open.addEventListener("click", () => { location.hash = job.id; });
    cancel.addEventListener("click", () => act("POST", `/v1/jobs/${job.id}/cancel`));
    remove.addEventListener("click", () => confirm(`Delete ${job.name} and its results?`) && act("DELETE", `/v1/jobs/${job.id}`));
    jobs.set(job.id, entry);
    const after = [...jobs.values()].find(other => other.job && other.job.created < job.created);
    at("jobs").insertBefore(entry.row, after ? after.row : null);
    sortByTime();
  }
  const was = entry.job?.state;
  entry.job = job;
  const {name, state: told, bar, open, cancel, remove, error} = entry.parts, over = FINISHED.includes(job.state);
  name.textContent = job.name;
  const length = job.audio_seconds ? ` · ${clock(job.audio_seconds)}` : "";
  told.textContent = `${TASKS[job.kind]}${job.model || job.options.model ? ` · ${job.model || job.options.model}` : ""}${length} · ${when(job.created)} · ${state(job)}`;
  bar.hidden = over;
  if (job.state === "running") bar.value = job.progress;
  else bar.removeAttribute("value");
  open.hidden = job.state !== "done";
  cancel.hidden = over;
  remove.hidden = !over;
  error.textContent = job.error ? job.error.message : "";
  error.hidden = !job.error;
  at("nothing").hidden = true;
  if (job.state === "done" && was && was !== "done" && !opened) location.hash = job.id;
  else if (job.state === "done" && location.hash.slice(1) === job.id) follow();
}

function sortByTime() {
  const entries = [...jobs.entries()].filter(([, entry]) => entry.job);
  entries.sort(([, one], [, other]) => other.job.created - one.job.created);
  const fresh = [...jobs.values()].filter(entry => !entry.job).map(entry => entry.row);
  at("jobs").append(...fresh, ...entries.map(([, entry]) => entry.row));
}

function forget(id) {
  jobs.get(id)?.row.remove();
  jobs.delete(id);
  at("nothing").hidden = jobs.size > 0;
  if (opened === id) location.hash = "";
}

async function act(method, path) {
  try {
    const job = await call(method, path);
    if (job) show(job);
    else forget(path.split("/").at(-1));
  } catch (error) {
    at("connection").textContent = error.message;
  }
}

function follow() {
  const id = location.hash.slice(1), entry = jobs.get(id);
  if (opened === id && entry) return;
  for (const other of jobs.values()) other.row.classList.toggle("open", other === entry);
  opened = entry?.job.state === "done" ? id : null;
  if (opened) openPlayer(at("player"), entry.job, () => { location.hash = ""; });
  else closePlayer(at("player"));
}

function listen() {
  stream?.close();
  stream = new EventSource("/v1/events");
  stream.addEventListener("open", () => { at("connection").textContent = ""; });
  stream.addEventListener("job", event => show(JSON.parse(event.data)));
  stream.addEventListener("gone", event => forget(JSON.parse(event.data).id));
  stream.addEventListener("error", () => {
    at("connection").textContent = "The service does not answer; trying again …";
    if (stream.readyState === EventSource.CLOSED) setTimeout(begin, 3000);
  });
}

async function loadModels() {
  const chosen = at("model").value, isFirst = !at("model").options.length;
  models = await call("GET", "/v1/models");
  fillModels();
  if (!isFirst && [...at("model").options].some(option => option.value === chosen)) at("model").value = chosen;
  describeModel();
  offerLive(models.filter(model => model.latency_seconds !== null));
}

async function begin() {
  try {
    const needsToken = (await call("GET", "/v1/health")).needs_token;
    at("sign-in").hidden = !needsToken;
    at("signed-in").hidden = needsToken;
    if (needsToken) return at("token").focus();
    limits = await call("GET", "/v1/limits");
    await loadModels();
    const hours = limits.audio_seconds / 3600, days = limits.keep_seconds / 86400;
    at("allowed").textContent = `up to ${limits.upload_bytes / 1e6} MB and ${+hours.toFixed(1)} h; kept for ${+days.toFixed(1)} days`;
    await offerModels(loadModels);
    listen();
  } catch (error) {
    at("signed-in").hidden = false;
    at("connection").textContent = error.message;
    setTimeout(begin, 3000);
  }
}

at("kind").addEventListener("change", fillModels);
at("model").addEventListener("change", describeModel);
at("strength").addEventListener("input", () => {
  at("told-strength").textContent = `${Math.round(100 * at("strength").value)} %`;
});
at("file").addEventListener("change", () => choose(at("file").files[0]));
at("text-file").addEventListener("change", async () => { at("text").value = await at("text-file").files[0]?.text() ?? ""; });
offerRecording(choose);
at("new").addEventListener("submit", start);
at("stop-sending").addEventListener("click", () => upload?.stop());
at("sign-in").addEventListener("submit", async event => {
  event.preventDefault();
  try {
    await call("POST", "/v1/session", {token: at("token").value});
    at("sign-in-message").textContent = "";
    begin();
  } catch (error) {
    at("sign-in-message").textContent = error.message;
  }
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, event => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") choose(event.dataTransfer.files[0]);
  });
}
addEventListener("hashchange", follow);
document.documentElement.classList.add("scripted");
begin();
