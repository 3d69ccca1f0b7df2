// Draws a handshake's state (handshake.py decides what it says): the sequence, and the selected
// message beside it. Exports nothing (see assets.py).

const PLAY_EVERY_MS = 1100;

// Draws `state` into `root`; `onSelect(number)` after a choice. Returns { select, stop }.
function drawHandshake(root, state, selected, onSelect) {
  const message = el("div", { class: "mtls-message" });
  const details = el("div", { class: "mtls-details", role: "region", "aria-label": "Selected message" }, message);
  const spoken = el("p", { class: "mtls-spoken", "aria-live": "polite" });
  const buttons = state.arrows.map((arrow, number) => arrowButton(state, arrow, number));
  const scrubber = state.arrows.length > 1 ? scrub(state, move) : null;
  let current = -1;
  let stopBytes = () => {};

  function move(number, focus) {
    const to = Math.max(0, Math.min(state.arrows.length - 1, number));
    const changed = to !== current;
    mark(to);
    if (focus) buttons[to]?.focus({ preventScroll: true });
    if (changed) onSelect(to);
  }

  function mark(number) {
    if (number === current) return;
    current = number;
    buttons.forEach((button, at) => {
      button.setAttribute("aria-pressed", String(at === number));
      button.tabIndex = at === Math.max(0, number) ? 0 : -1;
    });
    scrubber?.show(number);
    spoken.textContent = state.arrows[number]?.label ?? "";
    stopBytes();
    stopBytes = showMessage(message, state, number);
    place();
  }

  // Beside its arrow, as far down as the column reaches; under the sequence it needs no place.
  function place() {
    const top = lines.getBoundingClientRect();
    const beside = details.getBoundingClientRect().left > top.left;
    const wanted = (buttons[current] ?? lines).getBoundingClientRect().top - top.top;
    const room = top.height - message.offsetHeight;
    message.style.marginTop = beside ? `${Math.max(0, Math.min(wanted, room))}px` : "";
  }

  function key(event) {
    const moves = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    move(current + moves[event.key], true);
  }

  const lines = el("ol", { class: "mtls-lines", "aria-label": "Messages in order", onkeydown: key });
  for (const row of state.rows) lines.append(sequenceRow(state, row, buttons));
  buttons.forEach((button, number) => button.addEventListener("click", () => move(number, true)));

  root.replaceChildren(
    header(state),
    el("div", { class: "mtls-columns" }, el("div", { class: "mtls-sequence" }, lifelineHeads(), lines), details),
    ...(scrubber ? [scrubber.node] : []),
    spoken,
  );
  mark(selected);
  const observer = new ResizeObserver(place);
  observer.observe(root);
  return { select: mark, stop: () => (observer.disconnect(), stopBytes(), scrubber?.stop()) };
}

function header(state) {
  const whole = (fact) => fact.replaceAll(" ", "\u00a0");
  const facts = el("p", { class: "mtls-facts" }, state.facts.map(whole).join(" · "));
  const via = state.via ? el("p", { class: "mtls-facts mtls-via" }, state.via) : null;
  return el("header", { class: "mtls-header" }, badge(state.badge), el("div", {}, el("h3", {}, state.title), facts, via));
}

function lifelineHeads() {
  return el(
    "div",
    { class: "mtls-row mtls-heads", "aria-hidden": "true" },
    el("span"),
    el("span", { class: "mtls-ends" }, el("span", { class: "mtls-client" }, "Client"), el("span", { class: "mtls-server" }, "Server")),
    el("span", { class: "mtls-time" }, "ms"),
  );
}

function sequenceRow(state, row, buttons) {
  const step = state.steps[row.step];
  const arrow = state.arrows[row.arrow];
  const only = arrow ? arrow.mtls_only : step.mtls_only;
  const title = el("span", { class: "mtls-step" });
  if (row.named) {
    title.append(
      el("span", { class: step.mtls_only ? "mtls-number mtls-number-only" : "mtls-number" }, step.number),
      el("span", {}, step.title, only ? el("span", { class: "mtls-only-word" }, "only in mTLS") : null),
    );
  }
  if (arrow) {
    buttons[row.arrow].prepend(title);
    return el("li", { class: only ? "mtls-only" : null }, buttons[row.arrow]);
  }
  const caption = el("span", { class: "mtls-lane" }, el("em", { class: "mtls-caption" }, step.caption));
  return el("li", { class: only ? "mtls-only" : null }, el("div", { class: "mtls-row" }, title, caption, el("span")));
}

function arrowButton(state, arrow, number) {
  const who = arrow.alert ? "mtls-alert" : `mtls-${arrow.sender}`;
  const detail = [arrow.detail, arrow.size].filter(Boolean).join(" · ");
  const label = el(
    "span",
    { class: "mtls-label" },
    el("strong", {}, arrow.name),
    el("span", { class: "mtls-detail" }, arrow.encrypted ? icon("lock") : null, el("bdi", {}, detail)),
  );
  const line = el("span", { class: arrow.encrypted ? "mtls-line" : "mtls-line mtls-plain" }, icon(arrow.sender === "client" ? "right" : "left"));
  return el(
    "button",
    { type: "button", class: `mtls-row mtls-arrow mtls-from-${arrow.sender}`, "aria-pressed": "false", "aria-label": arrow.label, "data-arrow": number },
    el("span", { class: `mtls-lane ${who}` }, label, line),
    el("span", { class: "mtls-time" }, arrow.time),
  );
}

function showMessage(box, state, number) {
  const arrow = state.arrows[number];
  box.replaceChildren();
  if (state.note && (!arrow || arrow.alert || number === state.arrows.length - 1)) box.append(note(state.note));
  if (!arrow) return () => {};
  const page = state.prose[arrow.prose];
  const about = [arrow.route, arrow.crossing, arrow.size].filter(Boolean).join(" · ");
  box.append(
    el("h4", {}, arrow.name),
    el("p", { class: "mtls-facts" }, about, page && page.source ? " · " : "", page ? source(page) : ""),
  );
  if (page) box.append(el("p", { class: "mtls-prose" }, page.text));
  if (arrow.proof) {
    box.append(el("p", { class: "mtls-proof" }, el("strong", {}, "This message exists only in mTLS. "), arrow.proof));
  }
  if (!arrow.anatomy) {
    box.append(el("p", { class: "mtls-prose mtls-muted" }, "What travels here is HTTP, encrypted: no handshake message."));
    return () => {};
  }
  const field = el("div", { class: "mtls-field-prose" });
  const bytes = byteView(arrow.anatomy, (node) => {
    const words = state.prose[node.prose];
    field.replaceChildren(
      el("p", { class: "mtls-prose" }, el("strong", {}, node.name), " ", words.text, " ", source(words)),
    );
  });
  box.append(bytes.node, field);
  return bytes.stop;
}

function scrub(state, move) {
  const last = state.arrows.length - 1;
  let at = 0;
  let timer = null;
  const range = el("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "Message", oninput: () => (stop(), move(Number(range.value))) });
  const count = el("span", { class: "mtls-count" });
  const button = (name, label, act) => el("button", { type: "button", class: "mtls-tool", "aria-label": label, title: label, onclick: act }, icon(name));
  const play = button("play", "Play", toggle);

  function toggle() {
    if (timer) return stop();
    if (at >= last) move(0);
    play.replaceChildren(icon("pause"));
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => (at >= last ? stop() : move(at + 1)), PLAY_EVERY_MS);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.replaceChildren(icon("play"));
    play.setAttribute("aria-label", "Play");
  }

  function show(number) {
    at = Math.max(0, number);
    range.value = at;
    range.style.setProperty("--done", `${(100 * at) / last}%`);
    range.setAttribute("aria-valuetext", state.arrows[at].label);
    count.textContent = `${at + 1} of ${last + 1}`;
  }

  const node = el(
    "div",
    { class: "mtls-scrubber", role: "group", "aria-label": "Step through the messages" },
    button("first", "First message", () => (stop(), move(0))),
    button("back", "Previous message", () => (stop(), move(at - 1))),
    play,
    button("forward", "Next message", () => (stop(), move(at + 1))),
    button("last", "Last message", () => (stop(), move(last))),
    range,
    count,
  );
  return { node, show, stop };
}

function renderHandshake({ model, el: host }) {
  const root = el("section", { class: "mtls-view" });
  let drawing = null;

  function draw() {
    drawing?.stop();
    root.setAttribute("aria-label", model.get("state").label);
    drawing = drawHandshake(root, model.get("state"), model.get("selected"), (number) => {
      model.set("selected", number);
      model.save_changes();
    });
  }

  const follow = () => drawing.select(model.get("selected"));
  keepKeys(root);
  draw();
  host.append(root);
  model.on("change:state", draw);
  model.on("change:selected", follow);
  return () => {
    drawing.stop();
    model.off("change:state", draw);
    model.off("change:selected", follow);
  };
}
