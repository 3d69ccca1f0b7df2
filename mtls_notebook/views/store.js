// The certificate store as a table (store.py decides what it says). Every row is there, so that a search in
// the page finds it; the browser lays out only those in sight (content-visibility). Exports nothing (see assets.py).

const COLUMNS = [
  { key: "name", title: "Name" },
  { key: "subject", title: "Subject" },
  { key: "issuer", title: "Issuer" },
  { key: "expires_exactly", title: "Expires" },
  { key: "key", title: "Key" },
  { key: "fingerprint", title: "SHA-256" },
  { key: "bound", title: "Bound as" },
];

function sortKey(row, key) {
  return key === "bound" ? row.bound.join(" ") : row[key];
}

// Rows without a value stand last, whichever way the column is sorted.
function sorted(rows, { key, down }) {
  if (!key) return rows;
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  return [...rows].sort((one, other) => {
    const [a, b] = [sortKey(one, key), sortKey(other, key)];
    if (!a || !b) return (a ? 0 : 1) - (b ? 0 : 1);
    return down ? collator.compare(b, a) : collator.compare(a, b);
  });
}

// Digests and IDs are searched from six digits on: "99" is in nearly all of them.
function matches(row, words) {
  const text = [row.name, row.subject, row.issuer, row.expires, row.verdict.text, row.key, ...row.bound].join(" ").toLowerCase();
  const digits = [row.id, row.fingerprint, row.fingerprint.replaceAll(":", "")].join(" ").toLowerCase();
  return words.every((word) => text.includes(word) || (word.length >= 6 && digits.includes(word)));
}

function cell(...children) {
  return el("div", { role: "cell", class: "mtls-cell" }, ...children);
}

function storeRow(row, open, toggle) {
  const name = el(
    "button",
    { type: "button", class: "mtls-row-name", "aria-expanded": String(open), onclick: toggle },
    icon("fold"),
    el("bdi", {}, row.name || "(no name)"),
  );
  return el(
    "div",
    { role: "row", class: "mtls-store-row", "data-id": row.id },
    cell(name),
    cell(el("bdi", {}, row.subject)),
    cell(el("bdi", {}, row.issuer)),
    cell(el("span", { class: "mtls-date" }, row.expires), " ", badge(row.verdict)),
    cell(el("bdi", {}, row.key)),
    cell(el("code", { title: row.fingerprint }, row.fingerprint.slice(0, 11), "…")),
    cell(...row.bound.map((binding) => el("code", { class: "mtls-bound" }, `env.${binding}`))),
  );
}

// A labelled text field and its button; `send` gets what was typed.
function smallForm(label, value, verb, send) {
  const field = el("input", { type: "text", class: "mtls-input", value, autocomplete: "off", spellcheck: "false" });

  function submit(event) {
    event.preventDefault();
    send(field.value);
  }

  return el("form", { class: "mtls-row", onsubmit: submit }, el("label", { class: "mtls-row" }, `${label} `, field), el("button", { type: "submit", class: "mtls-button" }, verb));
}

function unbindButtons(row, send) {
  return row.bound.map((binding) =>
    el("button", { type: "button", class: "mtls-button", onclick: () => send({ kind: "unbind", name: binding }) }, `Unbind env.${binding}`),
  );
}

// Asks before it deletes; what is bound says so, since its bindings go with it.
function deletion(row, send) {
  const box = el("div", { class: "mtls-row mtls-deletion" });
  const name = row.name || row.id;
  const used = row.bound.map((binding) => `env.${binding}`).join(", ");
  const question = row.bound.length ? `${name} is bound as ${used}: the binding goes too. Delete?` : `Delete ${name}?`;

  function ask() {
    const keep = el("button", { type: "button", class: "mtls-button", onclick: offer }, "Keep");
    const sure = el("button", { type: "button", class: "mtls-button mtls-button-danger", onclick: () => send({ kind: "delete", id: row.id, force: row.bound.length > 0 }) }, "Delete");
    box.replaceChildren(el("span", { role: "alert" }, question), sure, keep);
    keep.focus();
  }

  function offer() {
    const button = el("button", { type: "button", class: "mtls-button mtls-button-danger", onclick: ask }, "Delete…");
    const focused = box.contains(document.activeElement);
    box.replaceChildren(button);
    if (focused) button.focus();
  }

  offer();
  return box;
}

function storeDetails(row, send) {
  return el(
    "div",
    { role: "row", class: "mtls-store-details" },
    el(
      "div",
      { role: "cell", "aria-colspan": String(COLUMNS.length), class: "mtls-store-tools" },
      el("dl", { class: "mtls-fact-list" }, el("dt", {}, "ID"), el("dd", {}, copyable(row.id)), el("dt", {}, "SHA-256"), el("dd", {}, copyable(row.fingerprint)), el("dt", {}, "Expires"), el("dd", {}, row.expires_exactly)),
      smallForm("Name", row.name, "Rename", (name) => send({ kind: "rename", id: row.id, name })),
      smallForm("Bind as env.", "", "Bind", (name) => send({ kind: "bind", id: row.id, name })),
      el("div", { class: "mtls-row" }, ...unbindButtons(row, send), deletion(row, send)),
    ),
  );
}

function columnHead(column, order, choose) {
  const current = order.key === column.key;
  const sort = current ? (order.down ? "descending" : "ascending") : "none";
  return el(
    "div",
    { role: "columnheader", class: "mtls-cell mtls-head", "aria-sort": sort },
    el("button", { type: "button", class: "mtls-sorter", "data-sort": sort, onclick: () => choose(column.key) }, column.title, icon("fold")),
  );
}

function renderStore({ model, el: host }) {
  const order = { key: "", down: false };
  const open = new Set();
  let drawn = new Map(); // id → { text, nodes }: a row is made anew only when it says something else

  const filter = el("input", { type: "search", class: "mtls-input", placeholder: "Filter", "aria-label": "Filter certificates", oninput: arrange });
  const count = el("p", { class: "mtls-muted", role: "status" });
  const answer = el("div", { class: "mtls-answer", role: "status" });
  const head = el("div", { role: "row", class: "mtls-store-row mtls-store-head" });
  const heads = el("div", { role: "rowgroup" }, head);
  const body = el("div", { role: "rowgroup", class: "mtls-store-body" });
  const table = el("div", { role: "table", class: "mtls-store-table", "aria-label": "Certificates" }, heads, body);
  const scroller = el("div", { class: "mtls-store-scroll", tabindex: "0", role: "group", "aria-label": "Certificates, scrolls" }, table);
  const root = el(
    "section",
    { class: "mtls-view mtls-store" },
    el("header", { class: "mtls-header" }, el("div", {}, el("h3", {}, "Certificates"), count), filter),
    answer,
    scroller,
  );

  function send(message) {
    model.send(message);
  }

  function toggle(id) {
    if (!open.delete(id)) open.add(id);
    drawn.delete(id);
    draw();
  }

  function choose(key) {
    order.down = order.key === key && !order.down;
    order.key = key;
    arrange();
  }

  function nodesOf(row) {
    const text = JSON.stringify(row);
    const known = drawn.get(row.id);
    if (known?.text === text) return known;
    const shown = open.has(row.id);
    const nodes = [storeRow(row, shown, () => toggle(row.id)), ...(shown ? [storeDetails(row, send)] : [])];
    return { text, nodes };
  }

  function arrangeHead() {
    const focused = [...head.children].findIndex((each) => each.contains(document.activeElement));
    head.replaceChildren(...COLUMNS.map((column) => columnHead(column, order, choose)));
    if (focused >= 0) head.children[focused].querySelector("button").focus();
  }

  // Puts the rows that match in order; those that stay keep their elements, and with them the focus.
  function arrange() {
    const { rows, empty } = model.get("state");
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = sorted(rows.filter((row) => matches(row, words)), order);
    const nodes = chosen.flatMap((row) => drawn.get(row.id).nodes);
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    arrangeHead();
    body.replaceChildren(...nodes);
    table.setAttribute("aria-rowcount", String(chosen.length + 1));
    scroller.hidden = !rows.length;
    filter.hidden = !rows.length;
    count.textContent = rows.length ? `${chosen.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : empty;
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  function drawAnswer(said) {
    answer.replaceChildren();
    if (!said.cause) return;
    const box = note({ cause: said.cause, evidence: [], fix: said.fix });
    box.classList.add(`mtls-note-${said.tone}`);
    answer.append(box);
  }

  function draw() {
    const state = model.get("state");
    const inRow = body.contains(document.activeElement) ? document.activeElement.closest("[data-id], .mtls-store-details") : null;
    const id = inRow?.dataset.id ?? inRow?.previousElementSibling?.dataset.id;
    const remade = new Map(state.rows.map((row) => [row.id, nodesOf(row)]));
    drawn = remade;
    root.setAttribute("aria-label", state.label);
    drawAnswer(state.said);
    arrange();
    // The focus stays in its row, or in the table when the row is gone: the notebook's keys delete cells.
    if (id && !body.contains(document.activeElement)) (drawn.get(id)?.nodes[0].querySelector("button") ?? filter).focus({ preventScroll: true });
  }

  // Other cells upload, bind and delete too: the kernel is asked whenever somebody comes to look.
  function look() {
    model.send({ kind: "refresh" });
  }

  draw();
  host.append(root);
  const unshield = shieldKeys(root);
  root.addEventListener("pointerenter", look);
  model.on("change:state", draw);
  return () => {
    unshield();
    root.removeEventListener("pointerenter", look);
    model.off("change:state", draw);
  };
}
