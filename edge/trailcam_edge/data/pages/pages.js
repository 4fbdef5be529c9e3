"use strict";
// State of the camera on every page, and keys: arrows for the neighbours, letters for the buttons that name them.
const LONGEST_WAIT_MS = 30000;
const pause = ms => new Promise(done => setTimeout(done, ms));
const byId = id => document.getElementById(id);

function showState(code, words) {
  const place = byId("state");
  if (!place || (place.dataset.state === code && place.lastElementChild.textContent === words)) return;
  place.dataset.state = code;
  place.lastElementChild.textContent = words;
}
let answered = Date.now(), last = "";
function age() {
  const minutes = Math.floor((Date.now() - answered) / 60000);
  return minutes ? " for " + minutes + " min" : "";
}
async function followState() {
  if (!byId("state")) return;
  for (;;) {
    await pause(5000);
    if (document.hidden) continue;
    try {
      const answer = await fetch("/state.json", { signal: AbortSignal.timeout(LONGEST_WAIT_MS), cache: "no-store" });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) continue;
      const state = await answer.json();
      answered = Date.now();
      last = state.state;
      showState(state.state, state.words);
    } catch {
      noAnswer();
    }
  }
}
function noAnswer() {
  if (last === "ended") showState("ended", "ended" + age());
  else if (last === "switching") showState("switching", "switching" + age());
  else showState("no answer", "no answer" + age());
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|TEXTAREA|VIDEO)$/.test(event.target.tagName)) return;
  if (event.target.tagName === "INPUT" && event.target.type !== "checkbox") return;
  const go = { ArrowLeft: "a.newer", ArrowRight: "a.older", j: "a.older", k: "a.newer" }[event.key];
  const found = go ? document.querySelector("main " + go) : document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.tagName === "INPUT") found.focus(); else found.click();
});
followState();
