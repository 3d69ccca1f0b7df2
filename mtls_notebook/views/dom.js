// Small ways to make elements, shared by every widget. All text goes in as text nodes: nothing that a
// server or a certificate says can become markup. This part exports nothing (see assets.py).

const SVG = "http://www.w3.org/2000/svg";

// Icons on a 16 × 16 grid, drawn here because machines lack symbol fonts.
const ICONS = {
  lock: "M4.5 7V5a3.5 3.5 0 0 1 7 0v2h.5a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1zM6 7h4V5a2 2 0 0 0-4 0z",
  right: "M2 2.5 14 8 2 13.5z",
  left: "M14 2.5 2 8l12 5.5z",
  first: "M3 3h2v10H3zM13.5 3v10L6 8z",
  back: "M11.5 3v10L4 8z",
  play: "M4 2.5 13.5 8 4 13.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  forward: "M4.5 3v10L12 8z",
  last: "M11 3h2v10h-2zM2.5 3v10L10 8z",
  fold: "M4.5 2 12.5 8l-8 6z",
  holds: "M6.4 13.2 1.6 8.4l1.7-1.7 3.1 3.1 6.3-6.5 1.7 1.7z",
  fails: "M3.4 2 8 6.6 12.6 2 14 3.4 9.4 8l4.6 4.6-1.4 1.4L8 9.4 3.4 14 2 12.6 6.6 8 2 3.4z",
  unknown: "M2.5 6.9h11v2.2h-11z",
};

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") node.style.cssText = value; // a style attribute would need a laxer policy in a page
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `mtls-icon mtls-icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

function source(page) {
  const named = ([text, link]) => (link ? el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, text) : text);
  return el("span", {}, ...page.parts.flatMap((part, at) => (at ? [", ", named(part)] : [named(part)])));
}

function badge(words) {
  return el("span", { class: `mtls-badge mtls-tone-${words.tone}` }, words.text);
}

function note(words) {
  const box = el("div", { class: "mtls-note", role: "note" });
  if (words.cause) box.append(el("p", { class: "mtls-note-cause" }, words.cause));
  if (words.evidence.length) box.append(el("ul", {}, ...words.evidence.map((fact) => el("li", {}, fact))));
  if (words.fix) box.append(el("p", { class: "mtls-note-fix" }, el("strong", {}, "What to do: "), words.fix));
  return box;
}
