"use strict";
// Sorting: a click on a heading sorts its table by that column, a second click turns the order round.
const value = (cell) => {
  const number = parseFloat(cell.textContent);
  return Number.isNaN(number) ? cell.textContent.trim().toLowerCase() : number;
};
const compare = (a, b) => {
  if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, index) => heading.querySelector("button").addEventListener("click", () => {
    const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => direction * compare(value(a.cells[index]), value(b.cells[index])));
    table.tBodies[0].append(...rows);
  }));
}
// Choosing and sorting the clips, where a page has controls for it.
const list = document.querySelector(".samples");
const category = document.querySelector("#category");
const order = document.querySelector("#order");
const arrange = () => {
  const cards = [...list.children];
  for (const card of cards) card.hidden = category && category.value !== "" && card.dataset.category !== category.value;
  const key = (card) => {
    const found = card.dataset[order.value];
    return found === undefined || found === "" ? Infinity : Number(found);
  };
  cards.sort((a, b) => key(a) - key(b) || Number(a.dataset.row) - Number(b.dataset.row));
  list.append(...cards);
};
for (const control of [category, order]) if (control) control.addEventListener("change", arrange);
// Clips play while they are seen.
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) target.play().catch(() => {}); else target.pause();
  }
}, { threshold: 0.4 });
for (const video of document.querySelectorAll("video")) {
  watcher.observe(video);
  video.addEventListener("click", () => { if (video.paused) video.play().catch(() => {}); else video.pause(); });
}
