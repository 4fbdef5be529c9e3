"use strict";
// The next picture is fetched while this one is looked at; a range of visits is ticked with the shift key.
for (const place of document.querySelectorAll("[data-ahead]")) new Image().src = place.dataset.ahead;
const boxes = [...document.querySelectorAll(".pick input")];
let before = null;
boxes.forEach((box, at) => box.addEventListener("click", event => {
  if (event.shiftKey && before !== null)
    for (let place = Math.min(at, before); place <= Math.max(at, before); place++) boxes[place].checked = box.checked;
  before = at;
}));
byId("all")?.addEventListener("click", () => {
  const all = boxes.every(box => box.checked);
  for (const box of boxes) box.checked = !all;
});
// Two quick presses of a key are one answer.
let sent = false;
document.addEventListener("submit", event => { if (sent) event.preventDefault(); sent = true; });
addEventListener("pageshow", () => { sent = false; });
