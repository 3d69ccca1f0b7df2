// Draws one run of a worker (invocation.py decides what it says): answer, log lines, and a waterfall of
// subrequests, each opening its handshake. While the run goes on only what changed is drawn anew. Exports
// nothing (see assets.py).

// More items than these make a list a box that scrolls.
const LONG_LIST = 16;

// Returns { update, open, detail, stop }; `onOpen(number)` when a subrequest is opened, -1 when closed.
function invocationView(root, onOpen) {
  const parts = { head: slot("mtls-run-head"), answer: slot(), running: slot(), logs: el("ol", { class: "mtls-log" }), trace: el("ol", { class: "mtls-trace" }) };
  const logSection = el("section", { class: "mtls-section", "aria-label": "Log" }, el("h4", {}, "Log"), parts.logs);
  const traceSection = el("section", { class: "mtls-section", "aria-label": "Subrequests" }, el("h4", {}, "Subrequests"), parts.trace);
  const logs = keyedList(parts.logs);
  const trace = keyedList(parts.trace);
  let shown = { handshakes: [], details: {} };

  function update(state, details) {
    shown = { handshakes: state.handshakes, details };
    parts.head.set([state.request, state.elapsed, state.running?.words, state.response, state.error], () => answerHead(state));
    parts.answer.set([state.response, state.error], () => section("Answer", state.error ? errorBox(state.error) : null, ...answer(state.response)));
    parts.running.set(state.running?.handshake ?? null, () => runningHandshake(state.running));
    grow(parts.logs, state, () => logs(logItems(state), logLine));
    grow(parts.trace, state, () => trace(state.trace, (sub) => (sub.gap ? gapRow(sub) : traceRow(sub, () => shown, onOpen))));
    logSection.hidden = !state.logs.length;
    traceSection.hidden = !state.trace.length;
  }

  const rows = () => trace.made();
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

// One subrequest; `shown()` returns { handshakes, details }: outlines, and those that are here whole.
function traceRow(sub, shown, onOpen) {
  const panel = el("div", { class: "mtls-panel", hidden: true });
  const inner = el("div", { class: "mtls-nested" });
  const bar = waterfall(sub);
  const content = [
    el("span", { class: "mtls-trace-top" }, badge(sub.status), el("span", { class: "mtls-trace-title" }, sub.title), el("span", { class: "mtls-trace-time" }, [sub.size, sub.time].filter(Boolean).join(" · "))),
    el("span", { class: "mtls-trace-facts" }, ...traceFacts(sub)),
    bar.node,
  ];
  const shows = sub.handshake >= 0;
  const head = shows
    ? el("button", { type: "button", class: "mtls-trace-head", "aria-expanded": "false", onclick: () => onOpen(drawing ? -1 : sub.number) }, ...content)
    : el("div", { class: "mtls-trace-head" }, ...content);
  let drawing = null;
  let drawn = null;

  function open(wanted) {
    if (!shows || wanted === Boolean(drawing)) return;
    panel.hidden = !wanted;
    head.setAttribute("aria-expanded", String(wanted));
    if (wanted) return draw(current().selected);
    drawing.stop();
    drawing = drawn = null;
    inner.replaceChildren();
  }

  const current = () => shown().details[sub.handshake] ?? shown().handshakes[sub.handshake];

  function draw(selected) {
    drawing?.stop();
    drawn = current();
    drawing = drawHandshake(inner, drawn, selected, (number) => (selected = number));
    drawing.at = () => selected;
  }

  // The whole handshake has come after its outline was drawn.
  function refresh() {
    if (drawing && drawn !== current()) draw(drawing.at());
  }

  panel.append(inner);
  return { number: sub.number, node: el("li", {}, head, sub.note ? note(sub.note) : null, panel), open, refresh, tick: bar.tick };
}

function traceFacts(sub) {
  const facts = [el("span", { class: sub.binding ? "mtls-binding" : "mtls-muted" }, sub.binding || "no binding")];
  if (sub.certificate) {
    const name = sub.certificate.name || `${sub.certificate.fingerprint.slice(0, 23)}…`;
    facts.push(el("bdi", { title: `SHA-256 ${sub.certificate.fingerprint}` }, name));
  } else {
    facts.push(el("span", { class: "mtls-muted" }, "no client certificate"));
  }
  facts.push(el("span", {}, sub.handshake >= 0 ? icon("fold") : null, sub.words));
  return facts;
}

// Returns { node, tick }: the bar of a subrequest, and how to move it.
function waterfall(sub) {
  const waiting = el("span", { class: "mtls-bar-waiting" });
  const receiving = el("span", { class: "mtls-bar-receiving" });

  function tick({ bar: [start, waited, end] }) {
    waiting.style.cssText = `left:${start}%;width:max(2px, ${waited - start}%)`;
    receiving.style.cssText = `left:${waited}%;width:max(2px, ${end - waited}%)`;
    receiving.hidden = end <= waited;
  }

  tick(sub);
  return { node: el("span", { class: "mtls-waterfall", role: "img", "aria-label": `took ${sub.time}` }, waiting, receiving), tick };
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
