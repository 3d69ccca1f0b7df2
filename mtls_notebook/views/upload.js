// The drop zone (upload.py decides what it says). File contents and passphrases go to the kernel as buffers
// of custom messages: a trait would be saved with the notebook. Exports nothing (see assets.py).

const FILE_LIMIT = 1 << 20; // the kernel refuses what is larger; one byte more is enough to tell
const MESSAGE_LIMIT = 4 << 20; // Jupyter's server closes a connection on messages above 10 MB

async function readFiles(files) {
  const read = [];
  const unreadable = [];
  for (const file of files) {
    try {
      read.push({ name: file.name, data: await file.slice(0, FILE_LIMIT + 1).arrayBuffer() });
    } catch {
      unreadable.push(file.name);
    }
  }
  return { read, unreadable };
}

// Several small messages instead of one large; the last one says that it is the last.
function sendFiles(model, { read, unreadable }, name) {
  let names = [];
  let buffers = [];
  let bytes = 0;

  function flush(last) {
    model.send({ kind: "files", names, last, ...(last ? { unreadable, name } : {}) }, undefined, buffers);
    [names, buffers, bytes] = [[], [], 0];
  }

  for (const file of read) {
    if (bytes + file.data.byteLength > MESSAGE_LIMIT) flush(false);
    names.push(file.name);
    buffers.push(file.data);
    bytes += file.data.byteLength;
  }
  flush(true);
}

function dropTarget(model, nameField, status) {
  const chooser = el("input", { type: "file", multiple: true, class: "mtls-file", tabindex: "-1", "aria-label": "Certificate and key files", onchange: picked });
  const button = el("button", { type: "button", class: "mtls-button mtls-choose", onclick: () => chooser.click() }, "Choose files…");
  const zone = el(
    "div",
    { class: "mtls-drop" },
    el("p", { class: "mtls-drop-title" }, "Drop certificates and keys here"),
    el("p", { class: "mtls-muted" }, "PEM, DER or PKCS#12, one pair or many: a key finds its certificate by its public key."),
    button,
    chooser,
    status,
  );

  async function take(files) {
    const list = [...files];
    if (!list.length) return;
    status.textContent = `${list.length.toLocaleString("en")} file${list.length === 1 ? "" : "s"} on the way to the kernel …`;
    sendFiles(model, await readFiles(list), nameField.value);
  }

  async function picked() {
    await take(chooser.files);
    chooser.value = "";
  }

  // Only files are taken: a dragged cell or a piece of text stays the notebook's.
  function over(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    zone.classList.add("mtls-drop-over");
  }

  function leave(event) {
    if (!zone.contains(event.relatedTarget)) zone.classList.remove("mtls-drop-over");
  }

  function drop(event) {
    zone.classList.remove("mtls-drop-over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    take(event.dataTransfer.files);
  }

  for (const [name, handle] of Object.entries({ dragenter: over, dragover: over, dragleave: leave, drop })) zone.addEventListener(name, handle);
  return zone;
}

function passphraseForm(model, files) {
  const field = el("input", { type: "password", class: "mtls-input", autocomplete: "off", spellcheck: "false", "aria-label": `Passphrase of ${files[0].file}` });
  const others = files.length > 1 ? ` It is tried on ${files.length - 1} more.` : "";

  function submit(event) {
    event.preventDefault();
    if (!field.value) return;
    model.send({ kind: "passphrase" }, undefined, [new TextEncoder().encode(field.value).buffer]);
    field.value = "";
  }

  return el(
    "form",
    { class: "mtls-passphrase", onsubmit: submit },
    el("p", {}, el("strong", {}, el("bdi", {}, files[0].file)), ` is encrypted. Its passphrase:${others}`),
    el("div", { class: "mtls-row" }, field, el("button", { type: "submit", class: "mtls-button" }, "Open")),
    files[0].wrong ? el("p", { class: "mtls-wrong", role: "alert" }, files[0].wrong) : null,
  );
}

function fault(words, tone) {
  const box = note({ cause: words.cause, evidence: [], fix: words.fix });
  box.classList.add(`mtls-note-${tone}`);
  return box;
}

function storedLine(words, open, stops) {
  const title = [el("strong", {}, el("bdi", {}, words.title)), " stored", el("span", { class: "mtls-muted" }, ` · ${words.detail}`)];
  const notes = words.notes.length ? el("ul", { class: "mtls-notes" }, ...words.notes.map((note) => el("li", {}, note))) : null;
  if (!words.card) return el("div", { class: "mtls-stored" }, el("p", {}, ...title), notes);
  const card = el("div", { class: "mtls-inner-card" });
  stops.push(drawCertificate(card, words.card));
  return el("details", { class: "mtls-stored", open }, el("summary", {}, ...title), notes, card);
}

function renderUpload({ model, el: host }) {
  const name = el("input", { type: "text", class: "mtls-input", autocomplete: "off", spellcheck: "false", placeholder: "its common name", "aria-label": "Name for the certificate" });
  const results = el("div", { class: "mtls-results" });
  const status = el("p", { class: "mtls-muted", role: "status" });
  const root = el(
    "section",
    { class: "mtls-view mtls-upload" },
    el("header", { class: "mtls-header" }, el("div", {}, el("h3", {}, "Upload a client certificate")), el("label", { class: "mtls-row" }, "Name ", name)),
    el("div", { class: "mtls-upload-body" }, dropTarget(model, name, status), results),
  );
  let stops = [];

  function stop() {
    for (const each of stops) each();
    stops = [];
  }

  function draw(changed) {
    const state = model.get("state");
    const asking = results.contains(document.activeElement);
    stop();
    root.setAttribute("aria-label", state.label);
    if (document.activeElement !== name) name.value = state.name;
    status.textContent = state.said;
    const waits = state.locked.length + state.alone.length;
    results.replaceChildren(
      ...(state.locked.length ? [passphraseForm(model, state.locked)] : []),
      ...state.alone.map((words) => fault(words, "warm")),
      ...(waits ? [el("button", { type: "button", class: "mtls-button mtls-forget", onclick: () => model.send({ kind: "forget" }) }, "Forget what waits")] : []),
      ...state.outcomes.map((words, at) => (words.kind === "stored" ? storedLine(words, at === 0, stops) : fault(words, "alert"))),
    );
    // The next passphrase is typed where the last one was; else the focus must not fall back on the notebook.
    const field = results.querySelector("input");
    if (field && (asking || changed)) field.focus();
    else if (asking) root.querySelector(".mtls-choose").focus();
  }

  draw(false);
  host.append(root);
  const unshield = shieldKeys(root);
  model.on("change:state", draw);
  return () => {
    unshield();
    stop();
    model.off("change:state", draw);
  };
}
