// Draws what many requests came to (batch.py decides what it says): outcomes as bars, causes, and how long they took
// as a box on a line. Exports nothing (see assets.py).

function tally(row) {
  const bar = el("span", { class: `mtls-share mtls-tone-${row.tone}`, "aria-hidden": "true" });
  bar.style.width = `max(3px, ${row.share}%)`;
  return el("tr", {}, el("th", { scope: "row" }, badge(row)), el("td", { class: "mtls-number" }, row.count), el("td", { class: "mtls-share-cell" }, bar));
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// The box holds the middle half, its gap is the median; strokes stand at the fastest, 95 % and the slowest.
function timeLine(places) {
  const [first, low, median, high, late, last] = places;
  const svg = shape("svg", { class: "mtls-times", viewBox: "-1 0 102 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(shape("path", { class: "mtls-times-line", d: `M${first} 5H${last}` }));
  for (const at of [first, late, last]) svg.append(shape("path", { class: "mtls-times-line", d: `M${at} 2V8` }));
  for (const [from, to] of [[low, median - 0.3], [median + 0.3, high]]) {
    svg.append(shape("rect", { class: "mtls-times-box", x: Math.min(from, to), y: 1.5, width: Math.max(to - from, 0.3), height: 7 }));
  }
  return svg;
}

function times(state) {
  const list = el("dl", { class: "mtls-quantiles" });
  for (const one of state.times) list.append(el("div", {}, el("dt", {}, one.name), el("dd", {}, one.text)));
  return part("Time", state.places.length ? timeLine(state.places) : "", list);
}

function causes(state) {
  const body = el("tbody", {}, ...state.causes.map((one) => el("tr", {}, el("td", {}, one.text), el("td", { class: "mtls-number" }, one.count))));
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Why"), el("th", { scope: "col", class: "mtls-number" }, "Requests")));
  return part("Failures", el("table", { class: "mtls-tally" }, head, body));
}

function part(title, ...content) {
  return el("section", { class: "mtls-batch-part", "aria-label": title }, el("h4", {}, title), ...content);
}

function renderBatch({ model, el: host }) {
  const state = model.get("state");
  const outcomes = el("table", { class: "mtls-tally", "aria-label": "Outcomes" }, el("tbody", {}, ...state.outcomes.map(tally)));
  const head = el("header", { class: "mtls-header" }, el("div", {}, el("h3", {}, state.title), el("p", { class: "mtls-facts" }, state.facts)));
  const parts = [part("Outcomes", outcomes), state.causes.length ? causes(state) : null, state.times.length ? times(state) : null];
  host.append(el("section", { class: "mtls-view", "aria-label": state.label }, head, el("div", { class: "mtls-batch" }, ...parts.filter(Boolean))));
}
