"use strict";
// The chord of the moment, in its lane. After report.js, whose clock it reads.
{
  const chords = [...document.querySelectorAll(".chords span")].map(element => ({
    element, start: Number(element.dataset.start), end: Number(element.dataset.end),
  }));
  let shown = null;

  moved.push(now => {
    const there = chords.find(chord => chord.start <= now && now < chord.end)?.element ?? null;
    if (there === shown) return;
    shown?.classList.remove("now");
    there?.classList.add("now");
    shown = there;
  });
  draw();
}
