// Draws a JSON value as a tree that folds (body.py decides what it says). Exports nothing (see assets.py).

function jsonTree(node) {
  const label = node.key ? [el("span", { class: "mtls-json-key" }, node.key), ": "] : [];
  const value = el("span", { class: `mtls-json-${node.kind}` }, node.text);
  if (!node.children.length) return el("div", { class: "mtls-json-leaf" }, ...label, el("bdi", {}, value));
  const inner = el("div", { class: "mtls-json-inner" }, ...node.children.map(jsonTree));
  if (node.hidden) inner.append(el("div", { class: "mtls-muted" }, `… ${node.hidden.toLocaleString("en")} more`));
  return el("details", { class: "mtls-json", open: node.open }, el("summary", {}, ...label, value), inner);
}
