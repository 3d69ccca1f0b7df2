// The byte view: a message's fields as a tree beside its bytes, each field lit where it stands.
// Draws what fields.py says; exports nothing (see assets.py).

// Below this width a line of bytes holds 8, above it 16.
const NARROW_PX = 344;

// An explanation with where it comes from: { text, source, link }, null for none.
function pageOf(glossary, number) {
  const [text, from] = glossary.prose[number] ?? [];
  return text === undefined ? null : { text, source: glossary.sources[from].name, parts: glossary.sources[from].parts };
}

// A field list as objects: fields.py keeps words and explanations once and sends numbers.
function unpacked(anatomy, glossary) {
  const above = [];
  return anatomy.fields.map(([level, name, start, end, value, page, open]) => {
    const node = { level, name: glossary.words[name], value: glossary.words[value], span: [start, end], page: pageOf(glossary, page), open: open === 1, folds: false };
    node.parent = level > 1 ? above[level - 1] : null;
    if (node.parent) node.parent.folds = true;
    above[level] = node;
    return node;
  });
}

function hexDump(anatomy, onByte) {
  const bytes = anatomy.hex.match(/../g) || [];
  const cells = [];
  const box = el("div", { class: "mtls-hex", role: "group", "aria-label": "Bytes in hexadecimal", tabindex: "0" });
  let wide = 0;

  function fill(perLine) {
    if (perLine === wide) return;
    wide = perLine;
    box.replaceChildren();
    for (let start = 0; start < bytes.length; start += perLine) box.append(hexLine(start, perLine));
    if (bytes.length < anatomy.length) {
      box.append(el("div", { class: "mtls-muted" }, `… ${(anatomy.length - bytes.length).toLocaleString("en")} more bytes`));
    }
  }

  function hexLine(start, perLine) {
    const line = el("div", { class: "mtls-hex-line" }, el("span", { class: "mtls-hex-offset" }, `${start.toString(16).padStart(4, "0")} `));
    for (let at = start; at < Math.min(start + perLine, bytes.length); at++) {
      const gap = (at - start) % 8 === 7 && at - start !== perLine - 1;
      cells[at] = el("span", { class: gap ? "mtls-byte mtls-byte-gap" : "mtls-byte", "data-at": at }, `${bytes[at]} `);
      line.append(cells[at]);
    }
    return line;
  }

  function light(span) {
    cells.forEach((cell, at) => cell.classList.toggle("mtls-lit", span !== null && at >= span[0] && at < span[1]));
  }

  // Scrolls this box only: scrollIntoView would move the notebook.
  function reveal(span) {
    const cell = cells[span[0]];
    if (!cell) return;
    const top = cell.offsetTop;
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 24) box.scrollTop = Math.max(0, top - 24);
  }

  box.addEventListener("mouseover", (event) => {
    const at = event.target.dataset?.at;
    onByte(at === undefined ? null : Number(at), false);
  });
  box.addEventListener("mouseleave", () => onByte(null, false));
  box.addEventListener("click", (event) => {
    const at = event.target.dataset?.at;
    if (at !== undefined) onByte(Number(at), true);
  });
  const observer = new ResizeObserver(([entry]) => fill(entry.contentRect.width < NARROW_PX ? 8 : 16));
  fill(16);
  observer.observe(box);
  return { box, light, reveal, stop: () => observer.disconnect() };
}

function fieldTree(nodes, lit, onHover, onSelect) {
  const items = [];
  const box = el("div", { class: "mtls-tree", role: "tree", "aria-label": "Fields" });

  function add(node, at) {
    const item = { node, parent: node.parent?.item ?? null, open: node.open, size: node.span[1] - node.span[0] };
    node.item = item;
    item.row = el(
      "div",
      {
        class: lit.has(at) ? "mtls-field mtls-differs" : "mtls-field",
        role: "treeitem",
        tabindex: "-1",
        "aria-level": node.level,
        "aria-expanded": node.folds ? String(item.open) : null,
        "aria-selected": "false",
        style: `--level:${node.level - 1}`,
        onmouseenter: () => onHover(node.span),
        onmouseleave: () => onHover(null),
        onclick: () => click(item),
        onkeydown: (event) => key(event, item),
      },
      el("span", { class: "mtls-field-name" }, node.folds ? icon("fold") : null, node.name, lit.has(at) ? el("span", { class: "mtls-spoken" }, " (differs)") : null),
      el("span", { class: "mtls-field-value" }, node.value),
    );
    items.push(item);
  }

  function click(item) {
    if (item.node.folds && (item.chosen || !item.open)) unfold(item, !item.open);
    choose(item);
  }

  function unfold(item, open) {
    item.open = open;
    item.row.setAttribute("aria-expanded", String(open));
    show();
  }

  function show() {
    for (const item of items) {
      item.row.hidden = item.parent !== null && (item.parent.row.hidden || !item.parent.open);
    }
  }

  function choose(item, focus = true) {
    for (const other of items) {
      other.chosen = other === item;
      other.row.tabIndex = other === item ? 0 : -1;
      other.row.setAttribute("aria-selected", String(other === item));
    }
    if (focus) item.row.focus({ preventScroll: true });
    if (item.row.offsetTop < box.scrollTop) box.scrollTop = item.row.offsetTop;
    const below = item.row.offsetTop + item.row.offsetHeight - box.clientHeight;
    if (below > box.scrollTop) box.scrollTop = below;
    onSelect(item.node);
  }

  function key(event, item) {
    const visible = items.filter((other) => !other.row.hidden);
    const at = visible.indexOf(item);
    const moves = {
      ArrowDown: () => visible[at + 1],
      ArrowUp: () => visible[at - 1],
      Home: () => visible[0],
      End: () => visible[visible.length - 1],
      ArrowRight: () => (item.open ? visible[at + 1] : void (item.node.folds && unfold(item, true))),
      ArrowLeft: () => (item.open && item.node.folds ? void unfold(item, false) : item.parent),
      Enter: () => click(item),
      " ": () => click(item),
    };
    if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const target = moves[event.key]();
    if (target) choose(target);
  }

  // The innermost field of a byte: the smallest span that holds it.
  function at(offset) {
    const around = items.filter(({ node }) => node.span[0] <= offset && offset < node.span[1]);
    return around.reduce((best, item) => (best && best.size < item.size ? best : item), null);
  }

  function open(item) {
    for (let up = item.parent; up; up = up.parent) unfold(up, true);
    choose(item, false);
  }

  function mark(item) {
    items.forEach((other) => other.row.classList.toggle("mtls-lit", other === item));
  }

  nodes.forEach(add);
  box.append(...items.map((item) => item.row));
  if (items.length) items[0].row.tabIndex = 0;
  show();
  return { box, at, open, mark };
}

// Returns { node, stop }: the fields of one message beside its bytes, each explained when chosen.
// `glossary` is { words, prose, sources }; `lit` holds the numbers of the fields to mark.
function byteView(anatomy, glossary, lit = new Set()) {
  const about = el("div", { class: "mtls-field-prose", "aria-live": "polite" });
  let chosen = null;
  const hex = hexDump(anatomy, (offset, click) => {
    const item = offset === null ? null : tree.at(offset);
    hex.light(item ? item.node.span : chosen);
    tree.mark(item);
    if (item && click) tree.open(item);
  });
  const tree = fieldTree(
    unpacked(anatomy, glossary),
    lit,
    (span) => hex.light(span || chosen),
    (node) => {
      chosen = node.span;
      hex.light(chosen);
      hex.reveal(chosen);
      about.replaceChildren(el("p", { class: "mtls-prose" }, el("strong", {}, node.name), " ", node.page.text, " ", source(node.page)));
    },
  );
  const parts = el("div", { class: "mtls-anatomy" });
  if (anatomy.error) parts.append(el("p", { class: "mtls-undecoded" }, `These bytes do not decode: ${anatomy.error}`));
  if (anatomy.fields.length) parts.append(tree.box);
  if (anatomy.hidden) parts.append(el("p", { class: "mtls-muted" }, `${anatomy.hidden.toLocaleString("en")} more fields are not shown.`));
  if (anatomy.hex) parts.append(hex.box);
  parts.append(about);
  return { node: parts, stop: hex.stop };
}
