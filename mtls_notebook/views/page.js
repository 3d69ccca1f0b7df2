// Lets a widget live in a page of its own: a stand-in for the notebook's model, which keeps the values and
// tells who listens. Exports nothing (see page.py).

function standIn(values) {
  const heard = {};
  return {
    get: (name) => values[name],
    set(name, value) {
      if (Object.is(values[name], value)) return;
      values[name] = value;
      for (const hear of heard[`change:${name}`] ?? []) hear();
    },
    save_changes() {},
    on: (name, hear) => (heard[name] ??= []).push(hear),
    off: (name, hear) => (heard[name] = (heard[name] ?? []).filter((other) => other !== hear)),
  };
}

function showPage(render) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const wear = (isLight) => (document.body.dataset.jpThemeLight = String(isLight));
  const follow = () => wear(!dark.matches);
  dark.addEventListener("change", follow);
  addEventListener("beforeprint", () => wear(true)); // paper is white
  addEventListener("afterprint", follow);
  follow();
  const host = document.getElementById("view");
  host.replaceChildren();
  render({ model: standIn(JSON.parse(document.getElementById("values").textContent)), el: host });
}
