"use strict";
// The chord and the line of the lyrics of the moment; a click on a line goes there. After report.js, whose clock it reads.
for (const lane of [".chords span", ".lyrics button"]) {
  const parts = [...document.querySelectorAll(lane)].map(element => ({
    element, start: Number(element.dataset.start), end: Number(element.dataset.end),
  }));
  let shown = null;

  moved.push(now => {
    const there = parts.find(part => part.start <= now && now < part.end)?.element ?? null;
    if (there === shown) return;
    shown?.classList.remove("now");
    there?.classList.add("now");
    shown = there;
    const box = there?.closest(".lines");
    if (box && playing) box.scrollTop = there.offsetTop - box.offsetTop - box.clientHeight / 2;
  });
}
for (const line of document.querySelectorAll(".lyrics button")) {
  line.addEventListener("click", () => seek(Number(line.dataset.start)));
}
draw();
