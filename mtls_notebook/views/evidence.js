// What stands behind a message: its proofs with their working, the records that carried it, the HTTP
// inside. Draws what evidence.py says; exports nothing (see assets.py).

const RECORD_HEADER_BYTES = 5;
const RECORD_BYTES_PER_LINE = 8;

function proofMark(mark) {
  return el("span", { class: `mtls-mark mtls-mark-${mark}` }, icon(mark));
}

function proofs(checks) {
  return checks.map((check) =>
    el(
      "details",
      { class: `mtls-check mtls-check-${check.mark}` },
      el("summary", {}, proofMark(check.mark), el("span", {}, el("strong", {}, check.title), el("span", { class: "mtls-spoken" }, `: ${check.says}`), " ", check.why)),
      check.steps.length ? el("ol", { class: "mtls-working", tabindex: "0", "aria-label": "Working" }, ...check.steps.map(proofStep)) : el("p", { class: "mtls-muted" }, "Nothing to recompute with."),
    ),
  );
}

function proofStep(step) {
  const bytes = step.hex.match(/../g) || [];
  return el(
    "li",
    {},
    el("p", {}, el("strong", {}, step.label), " ", el("span", { class: "mtls-muted" }, `${step.from} · ${step.source}`)),
    bytes.length ? el("code", {}, bytes.join(" ")) : null,
    step.more ? el("span", { class: "mtls-muted" }, bytes.length ? ` ${step.more}` : step.more) : null,
  );
}

// The records of one message: what crossed, its header told apart, beside what it says.
function recordList(state, numbers) {
  return el("div", { class: "mtls-records" }, ...numbers.map((number) => recordBox(state.records[number])));
}

function recordBox(record) {
  const crossed = record.hex && recordColumn("On the wire", hexLines(record.hex, RECORD_HEADER_BYTES), record.hex.length / 2, record.length);
  const opened = record.plain && recordColumn("Opened", hexLines(record.plain, 0), record.plain.length / 2, record.plain_length);
  return el(
    "section",
    { "aria-label": `Record: ${record.title}` },
    el("p", {}, el("strong", {}, record.title), " ", el("span", { class: "mtls-muted" }, `${record.length.toLocaleString("en")} bytes. ${record.words}`)),
    el("div", { class: "mtls-record-sides" }, crossed, opened),
  );
}

function recordColumn(title, lines, shown, length) {
  const hidden = length - shown;
  const more = hidden > 0 ? el("span", { class: "mtls-muted" }, `… ${hidden.toLocaleString("en")} more bytes`) : null;
  return el("div", { class: "mtls-record-side" }, el("p", { class: "mtls-muted" }, title), el("pre", { class: "mtls-hex", tabindex: "0", "aria-label": title }, ...lines, more));
}

function hexLines(hex, headerBytes) {
  const bytes = hex.match(/../g) || [];
  const lines = [];
  for (let start = 0; start < bytes.length; start += RECORD_BYTES_PER_LINE) {
    const header = bytes.slice(start, Math.min(start + RECORD_BYTES_PER_LINE, headerBytes));
    const rest = bytes.slice(Math.max(start, headerBytes), start + RECORD_BYTES_PER_LINE);
    lines.push(
      el("span", { class: "mtls-hex-offset" }, `${start.toString(16).padStart(4, "0")} `),
      header.length ? el("span", { class: "mtls-record-header", title: "record header: type, version, length" }, header.join(" ")) : "",
      header.length ? " " : "",
      `${rest.join(" ")}\n`,
    );
  }
  return lines;
}

function httpHead(lines) {
  const list = el("dl", { class: "mtls-fact-list mtls-headers" });
  for (const { name, value } of lines.slice(1)) list.append(el("dt", {}, name), el("dd", {}, el("bdi", {}, value)));
  return el("div", {}, el("p", { class: "mtls-http-line" }, el("bdi", {}, lines[0].value)), list);
}
