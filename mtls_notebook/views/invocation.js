// Draws one run of a worker (invocation.py decides what it says): answer, log lines, and a waterfall of
// subrequests, each opening its handshake. Exports nothing (see assets.py).

// Draws `state` into `root`; `onOpen(number)` when a subrequest is opened. Returns { open, stop }.
function drawInvocation(root, state, opened, onOpen) {
  const rows = state.trace.map((sub, number) => traceRow(state, sub, number, onOpen));
  root.replaceChildren(
    answerHead(state),
    ...section("Answer", state.error ? errorBox(state.error) : null, ...answer(state.response)),
    ...section("Log", logLines(state)),
    ...section("Subrequests", rows.length ? el("ol", { class: "mtls-trace" }, ...rows.map((row) => row.node)) : null),
  );
  const open = (number) => rows.forEach((row, at) => row.open(at === number));
  open(opened);
  return { open, stop: () => rows.forEach((row) => row.open(false)) };
}

function section(title, ...content) {
  const kept = content.filter(Boolean);
  return kept.length ? [el("section", { class: "mtls-section", "aria-label": title }, el("h4", {}, title), ...kept)] : [];
}

function answerHead(state) {
  const words = state.response ? state.response.status : { text: state.error ? state.error.kind : "no response", tone: "alert" };
  const facts = [state.elapsed, ...(state.response ? [state.response.body.size] : [])].join(" · ");
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

function logLines(state) {
  if (!state.logs.length) return null;
  const list = el("ol", { class: "mtls-log" });
  for (const log of state.logs) {
    list.append(el("li", { class: `mtls-log-${log.level}` }, el("span", { class: "mtls-level" }, log.level), el("span", { class: "mtls-log-text" }, log.text)));
  }
  if (state.hidden_logs) list.append(el("li", { class: "mtls-muted" }, `… ${state.hidden_logs.toLocaleString("en")} more lines`));
  return list;
}

function traceRow(state, sub, number, onOpen) {
  const panel = el("div", { class: "mtls-panel", hidden: true });
  const inner = el("div", { class: "mtls-nested" });
  const content = [
    el("span", { class: "mtls-trace-top" }, badge(sub.status), el("span", { class: "mtls-trace-title" }, sub.title), el("span", { class: "mtls-trace-time" }, [sub.size, sub.time].filter(Boolean).join(" · "))),
    el("span", { class: "mtls-trace-facts" }, ...traceFacts(sub)),
    waterfall(sub),
  ];
  const shows = sub.handshake >= 0;
  const head = shows
    ? el("button", { type: "button", class: "mtls-trace-head", "aria-expanded": "false", onclick: () => toggle() }, ...content)
    : el("div", { class: "mtls-trace-head" }, ...content);
  let drawing = null;

  function toggle() {
    const opening = !drawing;
    open(opening);
    onOpen(opening ? number : -1);
  }

  function open(wanted) {
    if (!shows || wanted === Boolean(drawing)) return;
    panel.hidden = !wanted;
    head.setAttribute("aria-expanded", String(wanted));
    if (wanted) {
      const shown = state.handshakes[sub.handshake];
      drawing = drawHandshake(inner, shown, shown.selected, () => {});
    } else {
      drawing.stop();
      drawing = null;
      inner.replaceChildren();
    }
  }

  panel.append(inner);
  return { node: el("li", {}, head, sub.note ? note(sub.note) : null, panel), open };
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

function waterfall(sub) {
  const [start, waited, end] = sub.bar;
  const piece = (name, from, to) => el("span", { class: `mtls-bar-${name}`, style: `left:${from}%;width:max(2px, ${to - from}%)` });
  return el("span", { class: "mtls-waterfall", role: "img", "aria-label": `took ${sub.time}` }, piece("waiting", start, waited), end > waited ? piece("receiving", waited, end) : null);
}

function renderInvocation({ model, el: host }) {
  const root = el("section", { class: "mtls-view" });
  let drawing = null;

  function draw() {
    drawing?.stop();
    root.setAttribute("aria-label", model.get("state").label);
    drawing = drawInvocation(root, model.get("state"), model.get("opened"), (number) => {
      model.set("opened", number);
      model.save_changes();
      drawing.open(number);
    });
  }

  const follow = () => drawing.open(model.get("opened"));
  keepKeys(root);
  draw();
  host.append(root);
  model.on("change:state", draw);
  model.on("change:opened", follow);
  return () => {
    drawing.stop();
    model.off("change:state", draw);
    model.off("change:opened", follow);
  };
}
