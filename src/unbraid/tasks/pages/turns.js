"use strict";
// Who speaks when: zoom, the names of those who speak, and steps from turn to turn. After report.js, whose clock it reads.
{
  const wide = document.querySelector(".wide"), scroller = wide.parentElement, zoomText = document.getElementById("zoom");
  const most = 2 ** Math.max(0, Math.min(6, Math.floor(Math.log2(total / 20)))); // 20 seconds or more are seen at once
  const people = [...wide.querySelectorAll(".lane:is([data-stem], .singer)")].map(element => ({
    element, bars: [...element.querySelectorAll("path")].flatMap(path => bars(path.getAttribute("d"))),
  }));
  const starts = [...new Set(people.flatMap(person => person.bars.map(([start]) => start)))].sort((a, b) => a - b);
  let zoom = 1;

  function bars(path) { // a bar is M start top h length …
    return [...path.matchAll(/M([\d.]+) \d+h([\d.]+)/g)].map(([, start, length]) => [+start, +start + +length]);
  }

  function zoomTo(value) {
    zoom = Math.min(Math.max(value, 1), most);
    wide.style.setProperty("--zoom", zoom);
    zoomText.textContent = `${zoom}×`;
    scroller.scrollLeft = position() / total * scroller.scrollWidth - scroller.clientWidth / 2;
    for (const button of document.querySelectorAll("[data-zoom]")) {
      button.disabled = zoom === (Number(button.dataset.zoom) > 1 ? most : 1);
    }
    mark();
  }

  function mark() {
    const wanted = total / zoom / Math.max(2, Math.min(6, scroller.clientWidth / 75));
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].find(step => step >= wanted) ?? 14400;
    const times = [];
    for (let time = 0; time === 0 || time < total - step / 4; time += step) {
      const text = document.createElement("span");
      text.style.left = `${100 * time / total}%`;
      text.textContent = clock(time);
      times.push(text);
    }
    wide.querySelector(".times").replaceChildren(...times);
  }

  function turn(direction) {
    const now = position();
    const there = direction > 0 ? starts.find(start => start > now + 0.05) : starts.findLast(start => start < now - 0.5);
    seek(there ?? (direction > 0 ? now : 0));
  }

  moved.push(now => {
    for (const {element, bars} of people) {
      element.classList.toggle("speaking", bars.some(([start, end]) => start <= now && now < end));
    }
    const at = now / total * scroller.scrollWidth, from = scroller.scrollLeft;
    if (playing && (at < from || at > from + scroller.clientWidth)) scroller.scrollLeft = at - scroller.clientWidth / 10;
  });
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoomTo(zoom * Number(button.dataset.zoom)));
  }
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {"+": () => zoomTo(zoom * 2), "-": () => zoomTo(zoom / 2), n: () => turn(1), p: () => turn(-1)};
    keys[event.key]?.();
  });
  new ResizeObserver(mark).observe(scroller);
  zoomTo(1);
  draw();
}
