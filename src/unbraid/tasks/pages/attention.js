"use strict";
// The data is one JSON object: axes, and maps of weights as bytes. A choice of kind, layer and head makes views, each a
// canvas with a map and its two axes; `cursor` is the cell that is pointed at, in one of them.
const data = JSON.parse(document.getElementById("data").textContent);
const choices = document.getElementById("choices"), views = document.getElementById("views");
const told = document.getElementById("cell"), meaning = document.getElementById("meaning");
const chosen = {kind: Object.keys(data.kinds)[0], layer: 1, head: "All"};
const FONT = "12px system-ui, sans-serif", SMALL = "11px system-ui, sans-serif";
const STRIP = 40, GAP = 4, CELL = 56, LINE = 14;
const palette = data.colours.map(colour => [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16)));
let drawn = [], cursor = null;
document.documentElement.style.setProperty("--ramp", `linear-gradient(90deg, ${data.colours.join(",")})`);

const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const ink = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function image(values, width, height, place) { // bytes as a picture of width x height; place(x, y) is where a byte is
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), pixels = context.createImageData(width, height);
  for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++, at += 4) {
    const colour = palette[Math.round(values[place(x, y)] / 255 * (palette.length - 1))];
    pixels.data.set([...colour, 255], at);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

for (const axis of data.axes) if (axis.levels) {
  const [frames, bins] = axis.size, levels = bytes(axis.levels);
  axis.across = image(levels, frames, bins, (x, y) => x * bins + bins - 1 - y); // time to the right, low at the bottom
  axis.down = image(levels, bins, frames, (x, y) => y * bins + x); // time down, low at the left
}

function weights(map, head) { // of a head, or of the mean of all: {most, values}
  const one = ({most, weights}) => ({most, values: bytes(weights)});
  if (head !== "Mean") return one(map.heads[head - 1]);
  const all = map.heads.map(one), mean = new Float64Array(all[0].values.length);
  for (const {most, values} of all) values.forEach((v, i) => { mean[i] += most * (v / 255) ** 2 / all.length; });
  const most = mean.reduce((a, b) => Math.max(a, b), 1e-12);
  return {most, values: Uint8Array.from(mean, w => Math.round(255 * Math.sqrt(w / most)))};
}

function name(axis, first, each) { // of a cell that stands for `each` steps
  const last = Math.min(first + each, axis.steps) - 1;
  if (axis.labels) return first === last ? axis.labels[first] : `${axis.labels[first]} … ${axis.labels[last]}`;
  const at = step => (axis.start + axis.seconds * step / axis.steps).toFixed(2);
  return `${at(first)}–${at(last + 1)} s`;
}

function number(weight) {
  return weight >= 0.0995 || weight === 0 ? weight.toFixed(2) : weight >= 0.001 ? weight.toFixed(3) : "< 0.001";
}

function ticks(axis) { // round times along an axis that is audio
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find(step => axis.seconds / step <= 7) ?? 10, found = [];
  for (let n = Math.ceil(axis.start / step); n * step < axis.start + axis.seconds * 0.98; n++) {
    found.push([(n * step - axis.start) / axis.seconds, `${+(n * step).toFixed(2)}`]);
  }
  return found;
}

function textWidth(context, labels) {
  context.font = FONT;
  return Math.ceil(Math.max(...labels.map(label => context.measureText(label).width)));
}

function layout(view, width) { // where the map lies in its canvas, in CSS pixels
  const {rows, columns, context} = view;
  const left = rows.labels ? Math.min(textWidth(context, rows.labels) + 2 * GAP, 110) : STRIP + GAP + 30;
  const most = columns.labels ? columns.steps * CELL : rows === columns ? Math.max(320, 0.8 * innerHeight) : Infinity;
  const across = Math.min(width - left - 1, most);
  const upright = columns.labels && textWidth(context, columns.labels) + GAP > across / columns.steps;
  const highest = upright ? Math.min(textWidth(context, columns.labels) + 2 * GAP, 100) : LINE + GAP;
  const top = columns.labels ? highest : STRIP + GAP + LINE;
  let down;
  if (rows === columns || (rows.labels && columns.labels)) down = across * rows.steps / columns.steps;
  else if (rows.labels) down = clamp(rows.steps * 26, 110, 900);
  else if (columns.labels) down = clamp(rows.steps * 3, 240, 640);
  else down = clamp(across * rows.seconds / columns.seconds, 120, 700);
  view.box = {left, top, across, down: Math.min(down, 1100), width, height: top + Math.min(down, 1100) + 1};
}

function paint(view) {
  const {canvas, context, box, map, rows, columns, picture} = view, ratio = devicePixelRatio || 1;
  const [m, n] = map.size, [eachRow, eachColumn] = map.each;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  canvas.style.width = `${box.width}px`;
  canvas.style.height = `${box.height}px`;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const high = box.down / rows.steps * eachRow, wide = box.across / columns.steps * eachColumn; // of a cell
  const at = cursor?.view === view ? cursor : null;
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.across, box.down);
  context.clip();
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, box.left, box.top, wide * n, high * m);
  if (view.large && wide >= 34 && high >= 18) numbers(view, wide, high);
  if (at) cross(context, box, box.left + at.column * wide, box.top + at.row * high, Math.max(wide, 3), Math.max(high, 3));
  context.restore();
  side(view, rows, true, at && at.row * eachRow, eachRow);
  side(view, columns, false, at && at.column * eachColumn, eachColumn);
}

function cross(context, box, x, y, wide, high) { // the row, the column and the cell that are pointed at
  const outline = (colour, width, ...rectangle) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(...rectangle);
  };
  outline("#ffffff90", 1, box.left, y, box.across, high);
  outline("#ffffff90", 1, x, box.top, wide, box.down);
  outline("#000", 4, x, y, wide, high);
  outline("#fff", 2, x, y, wide, high);
}

function numbers(view, wide, high) { // in the cells, where there is room
  const {context, box, map, most, values} = view, [m, n] = map.size;
  context.font = SMALL;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) {
    const value = values[i * n + j];
    if (!value) continue;
    context.fillStyle = value > 165 ? "#14181d" : "#e8eaf0";
    context.fillText((most * (value / 255) ** 2).toFixed(2), box.left + (j + 0.5) * wide, box.top + (i + 0.5) * high);
  }
}

function side(view, axis, isRows, first, each) { // labels, or a spectrogram and its times
  const {context, box} = view, length = isRows ? box.down : box.across, cell = length / axis.steps;
  context.textBaseline = "middle";
  if (!axis.labels) return sound(view, axis, isRows, length);
  context.font = FONT;
  const upright = axis.labels.map(label => !isRows && context.measureText(label).width + GAP > cell); // too wide to lie
  const every = isRows || upright.includes(true) ? Math.max(1, Math.ceil(LINE / cell)) : 1;
  axis.labels.forEach((label, step) => {
    const pointed = first !== null && step >= first && step < first + each;
    if (!pointed && (step % every || (first !== null && Math.abs(step - first) < every))) return;
    context.font = pointed ? `bold ${FONT}` : FONT;
    context.fillStyle = ink(pointed ? "--accent" : "--text");
    context.textAlign = isRows ? "right" : upright[step] ? "left" : "center";
    const middle = (step + 0.5) * cell, most = isRows ? box.left - 2 * GAP : upright[step] ? box.top - GAP : undefined;
    context.save();
    if (isRows) context.translate(box.left - GAP, box.top + middle);
    else context.translate(box.left + middle, box.top - (upright[step] ? GAP : LINE / 2 + GAP / 2));
    if (upright[step]) context.rotate(-Math.PI / 2);
    context.fillText(label, 0, 0, most);
    context.restore();
  });
}

function sound(view, axis, isRows, length) {
  const {context, box} = view;
  context.font = SMALL;
  context.fillStyle = ink("--dim");
  if (isRows) context.drawImage(axis.down, box.left - GAP - STRIP, box.top, STRIP, length);
  else context.drawImage(axis.across, box.left, box.top - GAP - STRIP, length, STRIP);
  ticks(axis).forEach(([place, text], i) => {
    if (isRows) {
      context.textAlign = "right";
      context.fillText(text, box.left - 2 * GAP - STRIP, clamp(box.top + place * length, box.top + 6, box.height - 6));
    } else {
      context.textAlign = place < 0.03 ? "left" : "center";
      context.fillText(i ? text : `${text} s`, box.left + place * length, LINE / 2);
    }
  });
}

function point(view, row, column) { // at a cell
  const [m, n] = view.map.size, before = cursor?.view;
  cursor = {view, row: clamp(row, 0, m - 1), column: clamp(column, 0, n - 1)};
  if (before && before !== view) paint(before);
  paint(view);
  const weight = view.most * (view.values[cursor.row * n + cursor.column] / 255) ** 2;
  const [row_, column_] = [[view.rows, cursor.row, 0], [view.columns, cursor.column, 1]].map(
    ([axis, cell, i]) => name(axis, cell * view.map.each[i], view.map.each[i]));
  told.textContent = `${view.title}: ${row_} → ${column_}: ${number(weight)}`;
}

function cellAt(view, event) {
  const bounds = view.canvas.getBoundingClientRect(), {box, map} = view;
  const x = event.clientX - bounds.left - box.left, y = event.clientY - bounds.top - box.top;
  if (x < 0 || y < 0 || x >= box.across || y >= box.down) return null;
  return [y / box.down * view.rows.steps / map.each[0], x / box.across * view.columns.steps / map.each[1]].map(Math.floor);
}

const MOVES = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};

function listen(view) {
  const {canvas} = view;
  for (const kind of ["pointermove", "pointerdown"]) canvas.addEventListener(kind, event => {
    const cell = cellAt(view, event);
    if (cell) point(view, ...cell);
  });
  canvas.addEventListener("keydown", event => {
    const move = MOVES[event.key];
    if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const here = cursor?.view === view ? cursor : {row: -move[0], column: -move[1]};
    point(view, here.row + move[0], here.column + move[1]);
  });
}

function viewOf(map, head, large) {
  const canvas = document.createElement("canvas"), figure = document.createElement("figure");
  const title = head === "Mean" ? "Mean of all heads" : `Head ${head}`, {most, values} = weights(map, head);
  const caption = document.createElement("figcaption");
  caption.innerHTML = `<b></b><span class="scale">0<i></i><span></span></span>`;
  caption.querySelector("b").textContent = title;
  caption.querySelector(".scale span").textContent = number(most);
  figure.append(caption, canvas);
  const [m, n] = map.size, rows = data.axes[map.rows], columns = data.axes[map.columns];
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${data.kinds[map.kind][0]}, layer ${map.layer}, ${title}: ${rows.steps} × ` +
    `${columns.steps} weights, the largest ${number(most)}. Arrow keys go from cell to cell.`);
  const view = {map, title, large, canvas, figure, rows, columns, most, values, context: canvas.getContext("2d"),
    picture: image(values, n, m, (x, y) => y * n + x)};
  listen(view);
  return view;
}

function show() { // make the views of what is chosen
  const map = data.maps.find(map => map.kind === chosen.kind && map.layer === chosen.layer);
  const all = chosen.head === "All", columns = data.axes[map.columns];
  meaning.textContent = data.kinds[map.kind][1];
  told.textContent = "";
  cursor = null;
  drawn = (all ? map.heads.map((_, i) => i + 1) : [chosen.head]).map(head => viewOf(map, head, !all));
  views.style.setProperty("--tile", !all ? "100%" : columns.labels && columns.steps <= 12 ? "250px" : "440px");
  views.replaceChildren(...drawn.map(view => view.figure));
  arrange();
}

function arrange() {
  for (const view of drawn) {
    layout(view, Math.floor(view.figure.clientWidth));
    paint(view);
  }
}

function pick(title, key, values, names = values) { // a row of radio buttons
  const field = document.createElement("fieldset"), legend = document.createElement("legend");
  legend.textContent = title;
  field.append(legend, ...values.map((value, i) => {
    const label = document.createElement("label"), input = document.createElement("input");
    const text = document.createElement("span");
    label.className = "pick";
    Object.assign(input, {type: "radio", name: key, value, checked: value === chosen[key]});
    input.addEventListener("change", () => { chosen[key] = value; choose(key === "kind"); });
    text.textContent = names[i];
    label.append(input, text);
    return label;
  }));
  return field;
}

function choose(anew) { // after a choice; another kind may have other layers
  if (anew) {
    const kinds = Object.keys(data.kinds), maps = data.maps.filter(map => map.kind === chosen.kind);
    chosen.layer = Math.min(chosen.layer, maps.length);
    const layers = pick("Layer", "layer", maps.map(map => map.layer));
    const heads = pick("Head", "head", ["All", "Mean", ...maps[0].heads.map((_, i) => i + 1)]);
    if (choices.firstChild) choices.replaceChildren(choices.firstChild, layers, heads); // which keeps its focus
    else choices.append(pick("Kind", "kind", kinds, kinds.map(kind => data.kinds[kind][0])), layers, heads);
  }
  show();
}

document.querySelector("form").addEventListener("submit", event => event.preventDefault());
new ResizeObserver(arrange).observe(views);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", arrange);
choose(true);
