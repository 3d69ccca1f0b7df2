// Draws two handshakes on shared rows (comparison.py decides what it says); a row opens both messages,
// fields that differ lit. Each side is there whole too. Exports nothing (see assets.py).

const SIDES = ["left", "right"];

// Draws one end of `state` into `root`. `view` is { shown, end, selected }; `put(name, value)` after a choice.
// Returns { select, stop }.
function drawComparison(root, state, view, put) {
  const { words, prose, sources } = state;
  const anatomy = (arrow) => (arrow.anatomy === null ? arrow : { ...arrow, anatomy: state.anatomies[arrow.anatomy] });
  const [left, right] = SIDES.map((side) => state.ends[view.end][side]).map((side) => ({ ...side, arrows: side.arrows.map(anatomy), words, prose, sources }));
  const end = { ...state.ends[view.end], left, right };
  const tools = [
    segments("What to show", [["left", end.left.name], ["right", end.right.name], ["both", "side by side"]], view.shown, (value) => put("shown", value)),
    state.ends.length > 1 ? segments("Who recorded it", state.ends.map((one, at) => [at, one.name]), view.end, (value) => put("end", value)) : null,
  ];
  const controls = comparisonHead(end, tools);
  if (view.shown !== "both") return drawSide(root, end[view.shown], controls);
  return drawRows(root, end, controls, view.selected, (row) => put("selected", row));
}

function comparisonHead(end, tools) {
  const via = end.via ? el("p", { class: "mtls-facts mtls-via" }, end.via) : null;
  return el("header", { class: "mtls-header" }, el("div", {}, el("h3", {}, end.title), el("p", { class: "mtls-facts" }, end.words), via), el("span", { class: "mtls-controls" }, ...tools));
}

function drawSide(root, side, controls) {
  const inner = el("div", { class: "mtls-side" });
  root.replaceChildren(controls, inner);
  const drawing = drawHandshake(inner, side, side.opened, () => {});
  return { select: () => {}, stop: drawing.stop };
}

function drawRows(root, end, controls, selected, onSelect) {
  let current = -1;
  let stops = [];
  const panels = [];
  const heads = end.pairs.map((pair, number) => pairHead(end, pair, number, () => toggle(number)));
  const items = end.pairs.map((pair, number) => {
    panels[number] = el("div", { class: "mtls-pair-panel", hidden: true });
    return el("li", { class: pair.mtls_only ? "mtls-only" : null }, heads[number], panels[number]);
  });

  function toggle(number) {
    const to = number === current ? -1 : number;
    select(to);
    onSelect(to);
  }

  function select(number) {
    if (number === current) return;
    stops.forEach((stop) => stop());
    stops = [];
    if (panels[current]) panels[current].hidden = true;
    current = number;
    heads.forEach((head, at) => head.setAttribute("aria-expanded", String(at === number)));
    if (!panels[number]) return;
    panels[number].hidden = false;
    stops = fillPanel(panels[number], end, end.pairs[number]);
  }

  function key(event) {
    const at = heads.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    heads[Math.max(0, Math.min(heads.length - 1, to))].focus();
  }

  root.replaceChildren(
    controls,
    el("div", { class: "mtls-pair mtls-pair-heads" }, el("span"), ...SIDES.map((side) => sideHead(end[side]))),
    el("ol", { class: "mtls-lines mtls-pairs", "aria-label": "Messages of both, row by row", onkeydown: key }, ...items),
  );
  select(selected);
  return { select, stop: () => stops.forEach((stop) => stop()) };
}

function sideHead(side) {
  return el(
    "div",
    { class: "mtls-side-head" },
    el("p", {}, el("strong", { class: "mtls-side-name" }, side.name), " ", badge(side.badge)),
    el("p", { class: "mtls-facts" }, side.facts.map(unbroken).join("\u00a0· ")),
    el("p", { class: "mtls-ends", "aria-hidden": "true" }, el("span", { class: "mtls-client" }, "Client"), el("span", { class: "mtls-server" }, "Server")),
  );
}

function pairHead(end, pair, number, onToggle) {
  const arrows = SIDES.map((side) => end[side].arrows[pair[side]]);
  const told = arrows.map((arrow, at) => `${end[SIDES[at]].name}: ${arrow ? arrow.label : "no such message"}`);
  return el(
    "button",
    { type: "button", class: "mtls-pair mtls-pair-row", "aria-expanded": "false", "aria-label": `${told.join("; ")}. ${pair.words}`, "data-row": number, onclick: onToggle },
    pair.named ? stepTitle(pair.step, pair.step.mtls_only) : el("span", { class: "mtls-step" }),
    ...arrows.map((arrow) => (arrow ? timedLane(arrow) : el("span", { class: "mtls-lane mtls-gap" }))),
  );
}

function timedLane(arrow) {
  const drawn = lane(arrow);
  drawn.classList.add(`mtls-from-${arrow.sender}`);
  drawn.querySelector(".mtls-detail").append(el("span", { class: "mtls-at" }, `${arrow.time}\u00a0ms`));
  return drawn;
}

// What a row holds, under it: both messages, or the one that stands alone; returns how to stop them.
function fillPanel(panel, end, pair) {
  const stops = [];
  const sides = SIDES.filter((side) => pair[side] >= 0);
  const columns = sides.flatMap((side) => {
    const arrow = end[side].arrows[pair[side]];
    const about = [...messageHead(end[side], arrow), ...proofs(arrow.checks)];
    const inside = messageInside(end[side], arrow, new Set(pair[`${side}_differs`]), stops);
    const column = (...content) => el("div", { class: "mtls-pair-side" }, ...content);
    return sides.length > 1 ? [column(...about, inside)] : [column(...about), column(inside)];
  });
  panel.replaceChildren(el("p", { class: "mtls-muted mtls-relation" }, pair.words), ...columns);
  return stops;
}

function messageInside(side, arrow, lit, stops) {
  if (!arrow.anatomy) return arrow.head.length ? httpHead(arrow.head) : "";
  const bytes = byteView(arrow.anatomy, side, lit);
  stops.push(bytes.stop);
  return bytes.node;
}

function renderComparison({ model, el: host }) {
  const root = el("section", { class: "mtls-view" });
  const traits = ["shown", "end", "selected"];
  let drawing = null;

  function put(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function draw() {
    drawing?.stop();
    const state = model.get("state");
    root.setAttribute("aria-label", state.label);
    drawing = drawComparison(root, state, Object.fromEntries(traits.map((name) => [name, model.get(name)])), put);
  }

  // A control that was pressed is drawn anew; the focus stays on its successor.
  function redraw() {
    const pressed = root.contains(document.activeElement) ? document.activeElement.textContent : "";
    draw();
    if (pressed) [...root.querySelectorAll(".mtls-segment")].find((one) => one.textContent === pressed)?.focus({ preventScroll: true });
  }

  const select = () => drawing.select(model.get("selected"));
  const hearing = { state: draw, shown: redraw, end: redraw, selected: select };
  const unshield = shieldKeys(root);
  draw();
  host.append(root);
  for (const [name, hear] of Object.entries(hearing)) model.on(`change:${name}`, hear);
  return () => {
    unshield();
    drawing.stop();
    for (const [name, hear] of Object.entries(hearing)) model.off(`change:${name}`, hear);
  };
}
