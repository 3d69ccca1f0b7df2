// Draws a handshake's state (handshake.py decides what it says): the sequence, and the selected
// message beside it. Exports nothing (see assets.py).

const NO_QUESTIONS = { guesses: [], onGuess: () => {} };

// Draws `state` into `root`; `onSelect(number)` after a choice. Returns { select, stop }.
function drawHandshake(root, state, selected, onSelect, asked = NO_QUESTIONS) {
  const message = el("div", { class: "mtls-message" });
  const details = el("div", { class: "mtls-details", role: "region", "aria-label": "Selected message" }, message);
  const spoken = el("p", { class: "mtls-spoken", "aria-live": "polite" });
  const buttons = state.arrows.map((arrow, number) => arrowButton(arrow, number));
  const lines = el("ol", { class: "mtls-lines", "aria-label": "Messages in order", onkeydown: key });
  const items = state.rows.map((row) => sequenceRow(state, row, buttons));
  const question = state.questions ? predictor(state, asked.guesses, asked.onGuess, reveal) : null;
  const end = () => (question ? question.end() : state.arrows.length - 1);
  const scrubber = state.arrows.length > 1 ? scrub(state, move, end) : null;
  const head = el("div", {});
  const sticky = follow(details, message, () => lines.getBoundingClientRect());
  let current = null;
  let stopBytes = () => {};

  function move(number, byKey) {
    const to = Math.max(0, Math.min(end(), number));
    const changed = to !== current;
    mark(to);
    if (byKey) {
      buttons[to]?.focus({ preventScroll: true });
      buttons[to]?.scrollIntoView({ block: "nearest" });
    }
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
    sticky.place();
  }

  function reveal(last, chosen) {
    show(last);
    move(chosen);
    scrubber?.show(chosen);
  }

  // A step without a message shows with the next arrow, or once all arrows are there.
  function show(last) {
    const whole = last >= state.arrows.length - 1;
    let shown = true;
    state.rows.forEach((row, at) => {
      if (row.arrow >= 0) shown = row.arrow <= last;
      items[at].hidden = !whole && !(shown && row.arrow >= 0);
    });
    head.replaceChildren(header(whole || !state.veil ? state : { ...state, ...state.veil }));
  }

  function key(event) {
    const moves = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    scrubber?.stop();
    move((current ?? 0) + moves[event.key], true);
  }

  lines.append(...items);
  buttons.forEach((button, number) =>
    button.addEventListener("click", () => {
      scrubber?.stop();
      move(number);
      button.focus({ preventScroll: true });
    }),
  );
  root.replaceChildren(
    head,
    el("div", { class: "mtls-columns" }, el("div", { class: "mtls-sequence" }, lifelineHeads(), lines, question?.node ?? null), details),
    ...(scrubber ? [scrubber.node] : []),
    spoken,
  );
  show(end());
  mark(question ? Math.min(end(), Math.max(0, selected)) : selected);
  return { select: mark, stop: () => (sticky.stop(), stopBytes(), scrubber?.stop()) };
}

// Keeps `content` in sight inside `column` while the page scrolls. CSS cannot: a notebook's outputs are
// scrolling boxes of their own, and sticking would mean to those. Returns { place, stop }.
function follow(column, content, range) {
  let asked = 0;

  function place() {
    asked = 0;
    const rows = range();
    const beside = column.getBoundingClientRect().top < rows.bottom - 1;
    const room = column.clientHeight - content.offsetHeight - padding(column);
    const wanted = topOfSight(column) + 8 - column.getBoundingClientRect().top;
    const down = beside && wanted > 0 ? Math.max(0, Math.min(wanted, room)) : 0;
    content.style.transform = down ? `translateY(${Math.round(down)}px)` : "";
  }

  const soon = () => (asked ||= requestAnimationFrame(place));
  const observer = new ResizeObserver(soon);
  observer.observe(column);
  document.addEventListener("scroll", soon, { capture: true, passive: true });
  return {
    place: soon,
    stop: () => (observer.disconnect(), cancelAnimationFrame(asked), document.removeEventListener("scroll", soon, { capture: true })),
  };
}

function padding(node) {
  const style = getComputedStyle(node);
  return parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
}

// Where the visible part of the page begins for `node`: below the top of every box that scrolls around it.
function topOfSight(node) {
  let top = 0;
  for (let up = node.parentElement; up; up = up.parentElement) {
    if (up.scrollHeight > up.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(up).overflowY)) top = Math.max(top, up.getBoundingClientRect().top);
  }
  return top;
}

// A number stays on one line with its unit.
function unbroken(words) {
  return words.replaceAll(/(?<=\d) /g, "\u00a0");
}

function header(state, ...tools) {
  const facts = el("p", { class: "mtls-facts" }, state.facts.map(unbroken).join("\u00a0· "));
  const via = state.via ? el("p", { class: "mtls-facts mtls-via" }, state.via) : null;
  return el("header", { class: "mtls-header" }, badge(state.badge), el("div", {}, el("h3", {}, state.title), facts, via), ...tools);
}

function lifelineHeads() {
  return el(
    "div",
    { class: "mtls-crossing mtls-heads", "aria-hidden": "true" },
    el("span"),
    el("span", { class: "mtls-ends" }, el("span", { class: "mtls-client" }, "Client"), el("span", { class: "mtls-server" }, "Server")),
    el("span", { class: "mtls-time" }, "ms"),
  );
}

function stepTitle(step, only) {
  const title = el("span", { class: "mtls-step" });
  title.append(
    el("span", { class: step.mtls_only ? "mtls-number mtls-number-only" : "mtls-number" }, step.number),
    el("span", {}, step.title, only ? el("span", { class: "mtls-only-word" }, "only in mTLS") : null),
  );
  return title;
}

function sequenceRow(state, row, buttons) {
  const step = state.steps[row.step];
  const arrow = state.arrows[row.arrow];
  const only = arrow ? arrow.mtls_only : step.mtls_only;
  const title = row.named ? stepTitle(step, only) : el("span", { class: "mtls-step" });
  if (arrow) {
    buttons[row.arrow].prepend(title);
    return el("li", { class: only ? "mtls-only" : null }, buttons[row.arrow]);
  }
  const caption = el("span", { class: "mtls-lane" }, el("em", { class: "mtls-caption" }, step.caption));
  return el("li", { class: only ? "mtls-only" : null }, el("div", { class: "mtls-crossing" }, title, caption, el("span")));
}

function arrowButton(arrow, number) {
  return el(
    "button",
    { type: "button", class: `mtls-crossing mtls-arrow mtls-from-${arrow.sender}`, "aria-pressed": "false", "aria-label": arrow.label, "data-arrow": number },
    lane(arrow),
    el("span", { class: "mtls-time" }, arrow.time),
  );
}

// A name that may break between its words: EncryptedExtensions.
function parted(name) {
  return name.split(/(?<=[a-z])(?=[A-Z])/).flatMap((word, at) => (at ? [el("wbr"), word] : [word]));
}

// One arrow between the lifelines: its label over its line.
function lane(arrow) {
  const detail = el("bdi", {}, arrow.detail && arrow.size ? `${arrow.detail}\u00a0· ` : arrow.detail);
  const size = arrow.size ? el("span", { class: "mtls-size" }, unbroken(arrow.size)) : null;
  const label = el(
    "span",
    { class: "mtls-label" },
    el("strong", {}, ...parted(arrow.name)),
    el("span", { class: "mtls-detail" }, arrow.encrypted ? icon("lock") : null, el("span", {}, detail, size), arrow.mark ? proofMark(arrow.mark) : null),
  );
  const line = el("span", { class: arrow.encrypted ? "mtls-line" : "mtls-line mtls-plain" }, icon(arrow.sender === "client" ? "right" : "left"));
  return el("span", { class: `mtls-lane ${arrow.alert ? "mtls-alert" : `mtls-${arrow.sender}`}` }, label, line);
}

// Fills `box` with all that is known of an arrow; returns how to stop it.
function showMessage(box, state, number) {
  const arrow = state.arrows[number];
  box.replaceChildren();
  if (state.note && (!arrow || arrow.alert || number === state.arrows.length - 1)) box.append(note(state.note));
  if (!arrow) return () => {};
  box.append(...messageHead(state, arrow), ...proofs(arrow.checks));
  const views = [];
  let bytes = null;
  if (arrow.anatomy) views.push(["Fields", () => (bytes = byteView(arrow.anatomy, state)).node]);
  if (arrow.head.length) views.push(["HTTP", () => httpHead(arrow.head)]);
  if (arrow.records.length) views.push(["Wire", () => recordList(state, arrow.records)]);
  if (views.length === 1) box.append(views[0][1]());
  if (views.length > 1) box.append(tabs("What to look at", views));
  return () => bytes?.stop();
}

function messageHead(state, arrow) {
  const page = pageOf(state, arrow.prose);
  const about = [arrow.route, arrow.crossing, arrow.size].filter(Boolean).join(" · ");
  const facts = el("p", { class: "mtls-facts" }, about, page && page.source ? " · " : "", page ? source(page) : "");
  const words = page?.text ?? (arrow.outline ? "What is inside is kept in the kernel, and comes when it is free." : "What travels here is HTTP, and no handshake message.");
  const only = arrow.proof ? el("p", { class: "mtls-proof" }, el("strong", {}, "This message exists only in mTLS. "), arrow.proof) : null;
  return [el("h4", {}, arrow.name), facts, el("p", { class: "mtls-prose" }, words), ...(only ? [only] : [])];
}

function renderHandshake({ model, el: host }) {
  const root = el("section", { class: "mtls-view" });
  let drawing = null;

  function put(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function draw() {
    drawing?.stop();
    root.setAttribute("aria-label", model.get("state").label);
    const asked = { guesses: model.get("guesses"), onGuess: (guesses) => put("guesses", guesses) };
    drawing = drawHandshake(root, model.get("state"), model.get("selected"), (number) => put("selected", number), asked);
  }

  const select = () => drawing.select(model.get("selected"));
  const unshield = shieldKeys(root);
  draw();
  host.append(root);
  model.on("change:state", draw);
  model.on("change:selected", select);
  return () => {
    unshield();
    drawing.stop();
    model.off("change:state", draw);
    model.off("change:selected", select);
  };
}
