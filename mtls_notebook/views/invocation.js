// Draws one run of a worker (invocation.py decides what it says): answer, log lines, and a waterfall of
// subrequests, each opening its handshake. While the run goes on only what changed is drawn anew. Exports
// nothing (see assets.py).

// More items than these make a list a box that scrolls.
const LONG_LIST = 16;

// Returns { update, open, detail, stop }; `onOpen(number)` when a subrequest is opened, -1 when closed.
function invocationView(root, onOpen) {
  const parts = { head: slot("mtls-run-head"), answer: slot(), running: slot(), logs: el("ol", { class: "mtls-log" }), trace: el("ol", { class: "mtls-trace" }) };
  const logSection = el("section", { class: "mtls-section", "aria-label": "Log" }, el("h4", {}, "Log"), parts.logs);
  const key = slot();
  const traceSection = el("section", { class: "mtls-section", "aria-label": "Subrequests" }, el("h4", {}, "Subrequests"), key.node, parts.trace);
  const logs = keyedList(parts.logs);
  const trace = keyedList(parts.trace);
  let shown = { handshakes: [], details: {}, certificates: [], phases: [] };

  const rows = () => trace.made();

  function update(state, details) {
    shown = { handshakes: state.handshakes, details, certificates: state.certificates, phases: state.phases };
    parts.head.set([state.request, state.elapsed, state.running?.words, state.response, state.error], () => answerHead(state));
    parts.answer.set([state.response, state.error], () => section("Answer", state.error ? errorBox(state.error) : null, ...answer(state.response)));
    parts.running.set(state.running?.handshake ?? null, () => runningHandshake(state.running));
    grow(parts.logs, state, () => logs(logItems(state), logLine));
    key.set([state.drawn, state.span], () => phaseLegend(state));
    grow(parts.trace, state, () => trace(state.trace, (sub) => (sub.gap ? gapRow(sub) : traceRow(sub, () => shown, onOpen))));
    rows().forEach((row) => row.refresh?.());
    logSection.hidden = !state.logs.length;
    traceSection.hidden = !state.trace.length;
  }

  const open = (number) => rows().forEach((row) => row.open?.(row.number === number));
  root.replaceChildren(parts.head.node, parts.answer.node, parts.running.node, logSection, traceSection);
  return {
    update,
    open,
    detail(details) {
      shown = { ...shown, details };
      rows().forEach((row) => row.refresh?.());
    },
    stop: () => (open(NaN), parts.running.set(null, () => null)),
  };
}

// A place whose content is made anew only when what it shows has changed; what it made may have a `stop`.
function slot(name = null) {
  const node = el("div", { class: name });
  let known = "";
  let made = null;

  function set(value, make) {
    const text = JSON.stringify(value ?? null);
    if (text === known) return;
    known = text;
    made?.stop?.();
    made = make();
    node.replaceChildren(...[made?.node ?? made ?? []].flat());
  }

  return { node, set };
}

// A list whose items keep their nodes while they stay the same: `show(items, make)`, where `make(item)`
// returns { node, … } and an item has a `number` of its own. Bars move with every moment of a run: they are
// handed to `tick(item)`, and make nothing anew.
function keyedList(list) {
  let known = new Map();

  function show(items, make) {
    const next = new Map();
    for (const item of items) {
      const text = JSON.stringify({ ...item, bar: null });
      const had = known.get(item.number);
      if (had?.text === text) had.tick?.(item);
      next.set(item.number, had?.text === text ? had : { ...make(item), text });
    }
    for (const [number, had] of known) if (next.get(number) !== had) had.open?.(false);
    known = next;
    place([...next.values()].map(({ node }) => node));
  }

  // Moves no node that stands right: a focused one would lose its focus.
  function place(nodes) {
    const wanted = new Set(nodes);
    for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
    nodes.forEach((node, at) => list.children[at] === node || list.insertBefore(node, list.children[at] ?? null));
  }

  show.made = () => [...known.values()];
  return show;
}

// Fills a list; a long one scrolls by itself, and while the run goes on its end stays in sight.
function grow(list, state, fill) {
  const wasAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  fill();
  const isLong = list.children.length > LONG_LIST;
  list.classList.toggle("mtls-long", isLong);
  if (isLong) list.tabIndex = 0;
  else list.removeAttribute("tabindex");
  if (isLong && wasAtEnd && state.running) list.scrollTop = list.scrollHeight;
}

function runningHandshake(running) {
  if (!running?.handshake) return null;
  const inner = el("div", { class: "mtls-nested" });
  const drawing = drawHandshake(inner, running.handshake, running.handshake.selected, () => {});
  const node = el("section", { class: "mtls-section", "aria-label": "Handshake now" }, el("h4", {}, "Handshake now"), inner);
  return { node, stop: drawing.stop };
}

function section(title, ...content) {
  const kept = content.filter(Boolean);
  return kept.length ? [el("section", { class: "mtls-section", "aria-label": title }, el("h4", {}, title), ...kept)] : [];
}

function answerHead(state) {
  const verdict = state.running ? { text: "running", tone: "neutral" } : { text: state.error ? state.error.kind : "no response", tone: "alert" };
  const words = state.response ? state.response.status : verdict;
  const facts = [state.elapsed, state.running?.words, state.response?.body.size].filter(Boolean).join(" · ");
  return el("header", { class: "mtls-header" }, badge(words), el("div", {}, el("h3", {}, state.request), el("p", { class: "mtls-facts" }, facts)));
}

function errorBox(error) {
  return note({ cause: error.message, evidence: [], fix: error.hint });
}

function answer(response) {
  if (!response) return [];
  const headers = el("dl", { class: "mtls-fact-list mtls-headers" });
  for (const header of response.headers) headers.append(el("dt", {}, header.name), el("dd", {}, el("bdi", {}, header.value)));
  const count = response.headers.length;
  return [
    count ? el("details", { class: "mtls-fold" }, el("summary", {}, `${count} ${count === 1 ? "header" : "headers"}`), headers) : null,
    BODIES[response.body.kind](response.body),
  ];
}

const BODIES = {
  empty: () => el("p", { class: "mtls-muted" }, "The response has no body."),
  json: (body) => el("div", { class: "mtls-body", tabindex: "0", role: "group", "aria-label": "Response body" }, jsonTree(body.root)),
  text: (body) => el("pre", { class: "mtls-body", tabindex: "0", "aria-label": "Response body" }, body.text),
  image: (body) => el("img", { class: "mtls-picture", src: body.source, alt: "The picture in the response's body" }),
  bytes: (body) => el("pre", { class: "mtls-body", tabindex: "0", "aria-label": "First bytes of the response body" }, body.hex + (body.more ? " …" : "")),
};

// The lines to show; where some are left out, a line says how many: before them while running, after them else.
function logItems(state) {
  const hidden = { number: -1, hidden: `… ${state.hidden_logs.toLocaleString("en")} ${state.running ? "earlier" : "more"} lines` };
  if (!state.hidden_logs) return state.logs;
  return state.running ? [hidden, ...state.logs] : [...state.logs, hidden];
}

function logLine(log) {
  if (log.hidden) return { node: el("li", { class: "mtls-muted" }, el("span"), log.hidden) };
  return { node: el("li", { class: `mtls-log-${log.level}` }, el("span", { class: "mtls-level" }, log.level), el("span", { class: "mtls-log-text" }, log.text)) };
}

function gapRow(gap) {
  return { node: el("li", { class: "mtls-trace-gap mtls-muted" }, `… ${gap.words}`) };
}

// One subrequest; `shown()` returns { handshakes, details, certificates, phases }: outlines of handshakes, those that
// are here whole, and what all rows share.
function traceRow(sub, shown, onOpen) {
  const panel = el("div", { class: "mtls-panel", hidden: true });
  const inner = el("div", { class: "mtls-nested", hidden: true });
  const bar = waterfall(sub, shown().phases);
  const took = el("span", { class: "mtls-trace-time" });
  const now = el("span", { class: "mtls-trace-now" });
  const head = el(
    "button",
    { type: "button", class: "mtls-trace-head", "aria-expanded": "false", onclick: () => onOpen(isOpen ? -1 : sub.number) },
    el("span", { class: "mtls-trace-top" }, badge(sub.status), el("span", { class: "mtls-trace-title" }, ...breakable(sub.title)), took),
    el("span", { class: "mtls-trace-facts" }, ...traceFacts(sub, shown().certificates), now),
    bar.node,
  );
  let last = sub;
  let isOpen = false;
  let table = null;
  let drawing = null;
  let drawn = null;

  function tick(item) {
    last = item;
    write(took, [item.size, item.bar.time].filter(Boolean).join(" · "));
    write(now, item.bar.now);
    bar.tick(item);
    table?.tick(item);
  }

  function open(wanted) {
    if (wanted === isOpen) return;
    isOpen = wanted;
    panel.hidden = !wanted;
    head.setAttribute("aria-expanded", String(wanted));
    if (wanted) return fill();
    drawing?.stop();
    drawing = drawn = table = null;
    inner.replaceChildren();
    panel.replaceChildren(inner);
  }

  function fill() {
    table = phaseTable(last, shown().phases);
    panel.replaceChildren(table.node, inner);
    inner.hidden = sub.handshake < 0;
    if (!inner.hidden && !current()) inner.replaceChildren(absent());
    refresh();
  }

  const current = () => shown().details[sub.handshake] ?? shown().handshakes[sub.handshake];
  const absent = () => el("p", { class: "mtls-muted", role: "status" }, "The kernel draws this handshake when it is free; without the kernel it is not here.");

  function draw(selected) {
    drawing?.stop();
    drawn = current();
    inner.hidden = false;
    drawing = drawHandshake(inner, drawn, selected, (number) => (selected = number));
    drawing.at = () => selected;
  }

  // A handshake is drawn when its outline is here, and anew when it has come whole.
  function refresh() {
    if (isOpen && current() && drawn !== current()) draw(drawing ? drawing.at() : current().selected);
  }

  tick(sub);
  return { number: sub.number, node: el("li", {}, head, sub.note ? note(sub.note) : null, panel), open, refresh, tick };
}

// An address that is too long for its line breaks after its own marks, not in the middle of a word.
const breakable = (address) => address.split(/(?<=[/.?&])(?![/.?&])/).flatMap((part) => [part, el("wbr")]);

// Text that stays the same is left alone: setting it would lay out the row anew.
const write = (node, text) => node.textContent === text || (node.textContent = text);

function traceFacts(sub, certificates) {
  const facts = [el("span", {}, icon("fold"), el("span", { class: sub.binding ? "mtls-binding" : "mtls-muted" }, sub.binding || "no binding"))];
  const certificate = certificates[sub.certificate];
  if (certificate) {
    const name = certificate.name || `${certificate.fingerprint.slice(0, 23)}…`;
    facts.push(el("bdi", { title: `SHA-256 ${certificate.fingerprint}` }, name));
  } else {
    facts.push(el("span", { class: "mtls-muted" }, "no client certificate"));
  }
  if (sub.words) facts.push(el("span", {}, sub.words));
  return facts;
}

const phaseSwatch = (key) => el("span", { class: `mtls-swatch mtls-phase-${key}`, "aria-hidden": "true" });

// Returns { node, tick }: the bar of a subrequest, cut into its phases, and how to move it.
function waterfall(sub, phases) {
  const cut = el("span", { class: "mtls-bar" });
  const node = el("span", { class: "mtls-waterfall", role: "img" }, cut);
  let places = "";
  let shape = "";

  // A run's end moves every bar, but changes the parts of few.
  function tick({ bar }) {
    place(bar);
    const now = JSON.stringify(bar.parts);
    if (now !== shape) cutAnew(bar);
    shape = now;
  }

  function place(bar) {
    const count = bar.parts.filter(([, percent]) => percent).length;
    const width = `max(${bar.width}%, ${3 * Math.max(1, count)}px)`;
    cut.style.cssText = `left:min(${bar.at}%, 100% - ${width});width:${width}`;
  }

  function cutAnew(bar) {
    const drawn = bar.parts.filter(([, percent]) => percent);
    const wanted = drawn.map(([place]) => place).join();
    if (wanted !== places) cut.replaceChildren(...drawn.map(([place]) => el("span", { class: `mtls-phase-${phases[place].key}` })));
    places = wanted;
    drawn.forEach(([, percent], at) => (cut.children[at].style.flexGrow = percent));
    const words = bar.parts.map(([place, , took]) => `${phases[place].name} ${took}`).join(", ");
    node.setAttribute("aria-label", `took ${bar.time}: ${words}`);
    node.title = words;
  }

  tick(sub);
  return { node, tick };
}

// Returns { node, tick }: the phases of one subrequest with their times and meanings, the last one marked if it failed.
function phaseTable(sub, phases) {
  const body = el("tbody");
  const caption = el("caption", { class: "mtls-muted" });
  const table = el("table", { class: "mtls-phases" }, caption, phaseHead(), body);

  function tick({ bar, crossed, failed }) {
    caption.textContent = [`Where the ${bar.time} went`, crossed].filter(Boolean).join(" · ");
    const last = bar.parts.length - 1;
    body.replaceChildren(...bar.parts.map(([place, , took], at) => phaseRow(phases[place], took, failed && at === last)));
  }

  function phaseRow({ key, name, meaning }, took, isEnd) {
    const end = isEnd ? el("strong", { class: "mtls-phase-end" }, icon("fails"), "it ended here") : null;
    const head = el("th", { scope: "row" }, el("span", {}, phaseSwatch(key), name));
    return el("tr", {}, head, el("td", { class: "mtls-phase-time" }, took), el("td", {}, end, meaning));
  }

  tick(sub);
  return { node: table, tick };
}

function phaseHead() {
  const cells = ["Phase", "Time", "What happens in it"].map((name) => el("th", { scope: "col" }, name));
  return el("thead", {}, el("tr", {}, ...cells));
}

// Stands once above all bars: the phases that they show, and how long their full width is.
function phaseLegend(state) {
  const items = state.drawn.map((place) => el("li", {}, phaseSwatch(state.phases[place].key), state.phases[place].name));
  return el("div", { class: "mtls-legend" }, el("ul", { "aria-label": "What the bars show" }, ...items), el("span", { class: "mtls-legend-span" }, state.span));
}

function renderInvocation({ model, el: host }) {
  const root = el("section", { class: "mtls-view" });
  const view = invocationView(root, (number) => {
    model.set("opened", number);
    model.save_changes();
    open();
  });

  function update() {
    const state = model.get("state");
    root.hidden = !state.label;
    if (!state.label) return;
    root.setAttribute("aria-label", state.label);
    view.update(state, model.get("details"));
    open();
  }

  const open = () => view.open(model.get("opened"));
  const detail = () => view.detail(model.get("details"));
  const hearing = { state: update, opened: open, details: detail };
  const unshield = shieldKeys(root);
  update();
  host.append(root);
  for (const [name, hear] of Object.entries(hearing)) model.on(`change:${name}`, hear);
  return () => {
    unshield();
    view.stop();
    for (const [name, hear] of Object.entries(hearing)) model.off(`change:${name}`, hear);
  };
}
