// Requests to the service; its errors are sentences.
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {method, headers: body ? {"Content-Type": "application/json"} : {},
      body: body && JSON.stringify(body)});
  } catch {
    throw new Error("The service does not answer; check that it runs.");
  }
  if (!response.ok) throw await problem(response.status, await response.text());
  return response.status === 204 ? null : response.json();
}

export function problem(status, text) {
  let sentence = `The service answers ${status}.`;
  try {
    sentence = JSON.parse(text).detail || sentence;
  } catch { /* no problem details: a proxy, say */ }
  return Object.assign(new Error(sentence), {status});
}

// Sends a form; XMLHttpRequest, since fetch tells nothing of the progress of an upload.
export function send(form, key, progress) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", event => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => request.status === 202 ? resolve(JSON.parse(request.responseText))
      : reject(problem(request.status, request.responseText)));
    request.addEventListener("error", () => reject(new Error("The upload failed; check the connection, and try again.")));
    request.addEventListener("abort", () => reject(new Error("The upload was cancelled.")));
  });
  request.open("POST", "/v1/jobs");
  request.setRequestHeader("Idempotency-Key", key);
  request.send(form);
  return {answer, stop: () => request.abort()};
}

export const at = id => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function clock(seconds) {
  const whole = Math.floor(seconds), rest = String(whole % 60).padStart(2, "0"), minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}
