"use strict";
const viewer = Array.from(crypto.getRandomValues(new Uint8Array(8)), n => n.toString(16).padStart(2, "0")).join("");
const percent = share => Math.round(share * 100) + "%";
const nameOf = outcome => outcome === null ? "nothing moves" : outcome;
// A label may have the name of a property that every object has: "constructor", "toString", "__proto__".
const countsOf = (chart, label) => Object.hasOwn(chart.counts, label) ? chart.counts[label] : [];

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}
function draw(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(LONGEST_WAIT_MS), cache: "no-store" });
  if (answer.status === 401) location.reload();
  return answer;
}

// One request at a time: on a slow line pictures become fewer, never older.
async function follow() {
  let after = -1, wait = 1000;
  for (;;) {
    if (document.hidden) { await pause(500); continue; }
    try {
      const small = innerWidth <= 640 ? "&small=1" : "";
      const answer = await ask("/frame.jpg?viewer=" + viewer + "&after=" + after + small);
      if (answer.status === 200) {
        const shown = JSON.parse(answer.headers.get("X-Trailcam"));
        const address = URL.createObjectURL(await answer.blob());
        const picture = byId("picture"), old = picture.src;
        picture.src = address;
        await picture.decode().catch(() => {});
        if (old.startsWith("blob:")) URL.revokeObjectURL(old);
        after = shown.sequence;
        show(shown);
        byId("notice").textContent = "";
        wait = 1000;
        await pause(80);
        continue;
      }
      if (answer.status === 204) {
        last = answer.headers.get("X-Trailcam-State") || last;
        if (last === "ended" || last === "switching") noAnswer();
        byId("notice").textContent = "No new picture from the camera.";
        after = -1;
        await pause(200);
        continue;
      }
      byId("notice").textContent = await answer.text();
    } catch {
      byId("notice").textContent = "The camera does not answer. Trying again ...";
      noAnswer();
      after = -1;
    }
    await pause(wait);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }
}
function show(frame) {
  const animal = frame.outcome !== null && !["unknown", "nothing"].includes(frame.outcome);
  const name = nameOf(frame.outcome);
  byId("label").textContent = name;
  byId("meter").hidden = !animal;
  byId("meter").value = animal ? frame.confidence : 0;
  byId("confidence").textContent = animal ? percent(frame.confidence) : "";
  mark(frame);
  byId("open").textContent = frame.open.map(nameOf).join(", ") || "none";
  byId("picture").alt = "Picture of the camera: " + name + (animal ? ", " + percent(frame.confidence) : "");
}

// Over the picture as it is shown: the view box has its proportions, and both fill the same place.
function mark(frame) {
  const picture = byId("picture"), width = picture.naturalWidth || 16, height = picture.naturalHeight || 9;
  const area = (name, points) => draw("polygon", { class: name, points: points.map(([x, y]) => x * width + "," + y * height).join(" ") });
  const box = (name, [x, y, wide, high]) =>
    draw("rect", { class: name, x: x * width, y: y * height, width: wide * width, height: high * height });
  byId("marks").setAttribute("viewBox", `0 0 ${width} ${height}`);
  byId("marks").replaceChildren(...frame.ignore.map(points => area("ignore", points)), ...frame.only.map(points => area("only", points)),
                                ...frame.boxes.map(corners => box("region", corners)), ...(frame.box ? [box("answer", frame.box)] : []));
}

async function report() {
  for (;;) {
    if (!document.hidden) {
      try {
        const answer = await ask("/status.json");
        if (answer.ok) await showStatus(await answer.json());
      } catch {
        noAnswer();
      }
    }
    await pause(3000);
  }
}
let shownVisits = "", rounds = 0;
async function showStatus(status) {
  answered = Date.now();
  last = status.state;
  showState(status.state, status.state_words);
  byId("today").textContent = status.date_known ? "(" + status.today + " today)" : "(the time of day is unknown)";
  const key = JSON.stringify(status.visits);
  if (key !== shownVisits) { shownVisits = key; rounds = 3; }  // a visit is on the disk some moments after it ended
  if (rounds && status.visits.length) { rounds -= 1; await showVisits(status.visits); }
  const labels = groupRest(status.hours, status.days);
  const day = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
  showChart("hours", "The last 24 hours", status.hours, labels, text => text.slice(11, 16), 6);
  showChart("days", "The last 14 days", status.days, labels, text => day.format(new Date(text.slice(0, 10) + "T12:00")), 3);
  byId("legend").replaceChildren(...labels.map((label, index) => {
    const item = make("li"), swatch = draw("svg", { viewBox: "0 0 1 1", "aria-hidden": "true" });
    swatch.append(draw("rect", { width: 1, height: 1, fill: colourOf(label, index) }));
    item.append(swatch, nameOf(label));
    return item;
  }));
  const problems = status.health.filter(([, , good]) => !good);
  byId("problems").replaceChildren(...problems.map(([name, value]) => make("li", name + ": " + value)));
}
async function showVisits(visits) {
  const answer = await ask("/latest");
  if (answer.ok) {
    byId("visits").innerHTML = await answer.text();  // made and escaped by this camera
    return;
  }
  byId("visits").replaceChildren(...visits.slice(0, 8).map(visit => {
    const item = make("li", undefined, "tile");
    item.append(make("b", visit.label, "name"), " ", make("span", visit.confidence === null ? "" : percent(visit.confidence), "score"), make("p", visit.time));
    return item;
  }));
}
const REST = "all others", COLOURS = 10;
function groupRest(...charts) {  // the most frequent labels have a colour each; "unknown" and the rest are grey
  const totals = new Map();
  for (const chart of charts)
    for (const label of Object.keys(chart.counts))
      totals.set(label, (totals.get(label) || 0) + countsOf(chart, label).reduce((sum, n) => sum + n, 0));
  const named = [...totals.keys()].filter(label => label !== "unknown").sort((a, b) => totals.get(b) - totals.get(a) || (a < b ? -1 : 1));
  const shown = named.slice(0, COLOURS).sort(), rest = named.slice(COLOURS);
  for (const chart of rest.length ? charts : [])
    chart.counts[REST] = chart.bars.map((_, bar) => rest.reduce((sum, label) => sum + (countsOf(chart, label)[bar] || 0), 0));
  return [...shown, ...(rest.length ? [REST] : []), ...(totals.has("unknown") ? ["unknown"] : [])];
}
function colourOf(label, index) {
  return label === "unknown" ? "var(--unknown)" : label === REST ? "var(--rest)" : "var(--s" + index + ")";
}
function showChart(place, title, chart, labels, nameBar, every) {
  const bars = chart.bars.length, width = Math.max(240, byId(place).clientWidth), height = 170, left = 28, bottom = 22, top = 10;
  const totals = chart.bars.map((_, bar) => labels.reduce((sum, label) => sum + (countsOf(chart, label)[bar] || 0), 0));
  const most = Math.max(4, ...totals), step = (width - left) / bars, scale = (height - bottom - top) / most;
  const all = totals.reduce((sum, count) => sum + count, 0);
  const words = labels.map(label => label + " " + countsOf(chart, label).reduce((sum, n) => sum + n, 0)).join(", ");
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${all} visits. ${words}` });
  for (const share of [0, .5, 1]) {
    const y = height - bottom - share * most * scale;
    svg.append(draw("line", { x1: left, x2: width, y1: y, y2: y }),
               draw("text", { x: left - 5, y: y + 4, "text-anchor": "end" }, Math.round(share * most)));
  }
  chart.bars.forEach((begin, bar) => {
    let y = height - bottom;
    labels.forEach((label, index) => {
      const count = countsOf(chart, label)[bar] || 0;
      if (!count) return;
      y -= count * scale;
      const box = draw("rect", { x: left + bar * step + step * .12, y, width: step * .76, height: count * scale,
                                 fill: colourOf(label, index) });
      box.append(draw("title", {}, `${nameBar(begin)}: ${label} ${count}`));
      svg.append(box);
    });
    if ((bars - 1 - bar) % every === 0)
      svg.append(draw("text", { x: left + bar * step + step / 2, y: height - 6, "text-anchor": bar === bars - 1 ? "end" : "middle" }, nameBar(begin)));
  });
  byId(place).replaceChildren(make("p", title + ": " + all, "soft"), svg);
}
follow();
report();
