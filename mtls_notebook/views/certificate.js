// Draws a certificate card's state (certificate.py decides what it says). Exports nothing (see assets.py).

function drawCertificate(root, state) {
  const bytes = byteView(state.anatomy, state.glossary);
  root.replaceChildren(
    el(
      "header",
      { class: "mtls-header mtls-card-head" },
      el("div", {}, el("h3", {}, state.name), chainPath(state.path)),
      badge(state.validity.verdict),
    ),
    el(
      "div",
      { class: "mtls-card" },
      state.warnings.length ? el("div", { class: "mtls-note" }, el("ul", {}, ...state.warnings.map((words) => el("li", {}, words)))) : null,
      validityBar(state.validity),
      chips(state),
      factList(state),
      el("details", { class: "mtls-fold" }, el("summary", {}, `Every byte (${state.size})`), bytes.node),
    ),
  );
  return bytes.stop;
}

function chainPath(names) {
  const path = el("ol", { class: "mtls-path", "aria-label": "Chain, from the root to this certificate" });
  names.forEach((name, at) => {
    const last = at === names.length - 1;
    path.append(el("li", { "aria-current": last ? "true" : null }, at ? icon("fold") : null, el("bdi", {}, name)));
  });
  return path;
}

function validityBar(validity) {
  const label = `Valid from ${validity.from_exactly} to ${validity.to_exactly}, today is ${validity.today}: ${validity.verdict.text}`;
  return el(
    "div",
    { class: `mtls-validity mtls-period-${validity.verdict.tone}`, role: "img", "aria-label": label, title: label },
    el("div", { class: "mtls-period" }, el("span", { class: "mtls-period-past", style: `width:${validity.percent}%` }), el("span", { class: "mtls-period-today", style: `left:${validity.percent}%` })),
    el(
      "div",
      { class: "mtls-period-words" },
      el("span", {}, validity.from),
      el("span", { style: `flex-grow:${validity.percent}` }),
      el("span", { class: "mtls-period-verdict" }, `today ${validity.today}`),
      el("span", { style: `flex-grow:${100 - validity.percent}` }),
      el("span", {}, validity.to),
    ),
  );
}

function chips(state) {
  const list = el("ul", { class: "mtls-chips", "aria-label": "Usages" });
  for (const usage of state.usages) {
    list.append(el("li", { class: `mtls-chip mtls-tone-${usage.tone}`, title: usage.meaning }, usage.name, el("span", { class: "mtls-spoken" }, `: ${usage.meaning}`)));
  }
  return state.usages.length ? list : null;
}

function factList(state) {
  const list = el("dl", { class: "mtls-fact-list" });
  const add = (name, ...value) => list.append(el("dt", {}, name), el("dd", {}, ...value));
  for (const fact of state.facts) add(fact.name, el("bdi", {}, fact.value));
  if (state.names.length) add("Names", el("bdi", {}, state.names.join(", ")));
  for (const fact of state.copies) add(fact.name, copyable(fact.value));
  return list;
}

function copyable(value) {
  const button = el("button", { type: "button", class: "mtls-copy", "aria-label": `Copy ${value}`, onclick: copy }, "copy");

  const code = el("code", {}, ...value.split(/(?<=:)/).flatMap((pair) => [pair, el("wbr")]));

  async function copy() {
    button.textContent = (await toClipboard(value)) ? "copied" : "selected";
    if (button.textContent === "selected") getSelection().selectAllChildren(code);
    setTimeout(() => (button.textContent = "copy"), 1500);
  }

  return el("span", { class: "mtls-copyable" }, code, button);
}

// Where a page may not write to the clipboard (plain http on another host), the caller selects the text.
async function toClipboard(value) {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    return false;
  }
}

function renderCertificate({ model, el: host }) {
  const root = el("section", { class: "mtls-view" });
  let stop = () => {};

  function draw() {
    stop();
    root.setAttribute("aria-label", model.get("state").label);
    stop = drawCertificate(root, model.get("state"));
  }

  const unshield = shieldKeys(root);
  draw();
  host.append(root);
  model.on("change:state", draw);
  return () => {
    unshield();
    stop();
    model.off("change:state", draw);
  };
}
