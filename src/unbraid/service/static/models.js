// Published models that the service can download: their licence is told first, and the progress meanwhile.
import {at, call, element} from "./api.js";

const USES = {commercial: "", unclear: " · commercial use unclear", "non-commercial": " · non-commercial"};
let published = [], kind = "separate", arrived = () => {};
const running = new Map(); // name: {pull, stream}

export async function offerModels(whenArrived) {
  arrived = whenArrived;
  for (const {stream} of running.values()) stream.close();
  running.clear();
  const [found, pulls] = await Promise.all([call("GET", "/v1/models/published"), call("GET", "/v1/models/pulls")]);
  published = found;
  for (const pull of pulls.filter(pull => pull.state === "running")) follow(pull);
  draw();
}

export function showModelsFor(chosen) {
  kind = chosen;
  draw();
}

function size(bytes) {
  return bytes < 1e6 ? "less than 1 MB" : bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function draw() {
  const able = published.filter(model => model.kinds.includes(kind));
  at("more").hidden = !able.length;
  at("more-told").textContent = "They are downloaded from their publishers to the machine of this service, and stay there.";
  at("published").replaceChildren(...able.map(row));
}

function row(model) {
  const stems = model.stems.length ? `${model.stems.join(", ")} · ` : "";
  const about = element("div", {className: "about"}, element("span", {className: "name"}, model.name), element("br"),
    element("span", {className: "dim"}, `${stems}${size(model.bytes)} · licence ${model.licence}${USES[model.use]}`));
  const pull = running.get(model.name)?.pull;
  if (!pull) {
    const get = element("button", {type: "button", ariaLabel: `Download ${model.name}`}, "Download …");
    get.addEventListener("click", () => ask(model));
    return element("li", {}, about, get);
  }
  const bar = element("progress", {ariaLabel: `Download of ${model.name}`});
  if (pull.total_bytes) Object.assign(bar, {max: pull.total_bytes, value: pull.done_bytes});
  const cancel = element("button", {type: "button", ariaLabel: `Cancel the download of ${model.name}`}, "Cancel");
  cancel.addEventListener("click", () => call("POST", `/v1/models/pulls/${pull.id}/cancel`).catch(tell));
  return element("li", {}, about, bar, element("span", {className: "dim"}, `${size(pull.done_bytes)} so far`), cancel);
}

function ask(model) {
  const dialog = at("agree");
  at("agree-title").textContent = `${model.name}, ${size(model.bytes)}`;
  at("terms").replaceChildren(...model.terms.map(line => element("li", {}, line)));
  dialog.returnValue = "";
  dialog.addEventListener("close", () => { if (dialog.returnValue === "agreed") start(model); }, {once: true});
  dialog.showModal();
}

async function start(model) {
  at("more-message").textContent = "";
  try {
    follow(await call("POST", "/v1/models/pulls", {name: model.name, licence: model.licence}));
    draw();
  } catch (error) {
    tell(error);
  }
}

function follow(pull) {
  const stream = new EventSource(`/v1/models/pulls/${pull.id}/events`);
  running.set(pull.name, {pull, stream});
  stream.addEventListener("pull", event => {
    const now = JSON.parse(event.data);
    running.set(now.name, {pull: now, stream});
    if (now.state !== "running") end(now, stream);
    draw();
  });
  stream.addEventListener("error", () => { // the service was started anew, and has forgotten it
    if (stream.readyState !== EventSource.CLOSED) return;
    running.delete(pull.name);
    draw();
  });
}

async function end(pull, stream) {
  stream.close();
  running.delete(pull.name);
  if (pull.state === "failed") return tell(new Error(pull.error));
  if (pull.state !== "done") return;
  published = await call("GET", "/v1/models/published");
  await arrived();
}

function tell(error) { at("more-message").textContent = error.message; }
