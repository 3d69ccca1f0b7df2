// Tabs, and a row of buttons of which one is pressed. Exports nothing (see assets.py).

// Tabs by the usual keys; `panels` is [[title, make]…], made when first shown. Returns the box.
function tabs(label, panels) {
  const shown = panels.map(() => null);
  const panel = el("div", { role: "tabpanel", class: "mtls-tabpanel" });
  const heads = panels.map(([title], at) =>
    el("button", { type: "button", role: "tab", class: "mtls-tab", onclick: () => choose(at), onkeydown: (event) => key(event, at) }, title),
  );

  function key(event, at) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    const to = (at + step + heads.length) % heads.length;
    choose(to);
    heads[to].focus({ preventScroll: true });
  }

  function choose(at) {
    heads.forEach((head, other) => {
      head.setAttribute("aria-selected", String(other === at));
      head.tabIndex = other === at ? 0 : -1;
    });
    shown[at] ??= panels[at][1]();
    panel.setAttribute("aria-label", panels[at][0]);
    panel.replaceChildren(shown[at]);
  }

  choose(0);
  return el("div", { class: "mtls-tabs" }, el("div", { role: "tablist", class: "mtls-tablist", "aria-label": label }, ...heads), panel);
}

// One of several, as buttons in a row; `onChoose(value)`. `choices` is [[value, words]…].
function segments(label, choices, chosen, onChoose) {
  const buttons = choices.map(([value, words]) =>
    el("button", { type: "button", class: "mtls-segment", "aria-pressed": String(value === chosen), onclick: () => onChoose(value) }, words),
  );
  return el("div", { class: "mtls-segments", role: "group", "aria-label": label }, ...buttons);
}
