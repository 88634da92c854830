"use strict";
const $ = (id) => document.getElementById(id);
// A number for this browser, so that a page that is loaded again goes on where it was.
const makeParticipant = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const participant = (() => {
  try {
    const known = localStorage.getItem("participant");
    if (known) return known;
    const made = makeParticipant();
    localStorage.setItem("participant", made);
    return made;
  } catch { return makeParticipant(); }
})();
let question = null;

const ask = async (path, options) => {
  try {
    const answer = await fetch(path, options);
    if (!answer.ok) throw new Error(answer.statusText);
    $("problem").hidden = true;
    show(await answer.json());
  } catch {
    $("problem").hidden = false;
    update();
  }
};
const show = (next) => {
  question = next;
  $("progress").max = next.total;
  $("progress").value = next.done;
  const isOver = next.row === undefined || next.row === null;
  $("count").textContent = isOver ? "" : `Comparison ${next.done + 1} of ${next.total}`;
  $("study").hidden = isOver;
  $("finished").hidden = !isOver;
  if (isOver) return;
  $("reference").src = `/reference?row=${next.row}`;
  $("image").src = `/image?row=${next.row}`;
  $("clips").replaceChildren(...next.letters.map((letter) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = letter;
    const video = document.createElement("video");
    Object.assign(video, { muted: true, loop: true, autoplay: true, playsInline: true, controls: true });
    video.src = `/clip?participant=${participant}&row=${next.row}&letter=${letter}`;
    figure.append(caption, video);
    return figure;
  }));
  for (const name of ["alignment", "quality"]) {
    const choices = document.createElement("div");
    choices.className = "choices";
    choices.append(...next.letters.map((letter) => {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name, value: letter });
      const text = document.createElement("span");
      text.textContent = letter;
      label.append(input, text);
      return label;
    }));
    $(name).querySelector(".choices")?.remove();
    $(name).append(choices);
  }
  update();
  window.scrollTo(0, 0);
};
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;
const update = () => { $("next").disabled = !(chosen("alignment") && chosen("quality")); };
const vote = () => {
  if ($("next").disabled) return;
  $("next").disabled = true;
  ask("/vote", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ participant, row: question.row, alignment: chosen("alignment"), quality: chosen("quality") }),
  });
};
$("form").addEventListener("change", update);
$("form").addEventListener("submit", (event) => { event.preventDefault(); vote(); });
document.addEventListener("keydown", (event) => {
  if (!question || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && event.target.tagName !== "BUTTON") { event.preventDefault(); vote(); return; }
  const letter = event.key.toUpperCase();
  if (event.key.length !== 1 || !question.letters.includes(letter)) return;
  const input = document.querySelector(`input[name=${event.shiftKey ? "quality" : "alignment"}][value=${letter}]`);
  if (input) { input.checked = true; update(); }
});
ask(`/question?participant=${participant}`);
