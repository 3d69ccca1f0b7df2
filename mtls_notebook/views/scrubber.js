// The scrubber under a handshake: first, back, play, forward, last, and a slider. Playing keeps the
// recorded rhythm (each arrow says how long to wait before it). Exports nothing (see assets.py).

// Who wants less motion gets time to look at each arrow, however fast it came.
const CALM_MS = 1200;

// `move(number)` goes to an arrow; `end()` is the last that may be shown. Returns { node, show, stop }.
function scrub(state, move, end) {
  let at = 0;
  let timer = null;
  const range = el("input", { type: "range", min: 0, step: 1, "aria-label": "Message", oninput: () => go(Number(range.value)) });
  const count = el("span", { class: "mtls-count" });
  const button = (name, label, act) => el("button", { type: "button", class: "mtls-tool", "aria-label": label, title: label, onclick: act }, icon(name));
  const play = button("play", "Play", () => (timer === null ? start() : stop()));

  function go(number) {
    stop();
    move(number);
  }

  function start() {
    face("pause", "Pause");
    if (at >= end()) move(0);
    wait();
  }

  function wait() {
    if (at >= end()) return stop();
    timer = setTimeout(() => {
      move(at + 1);
      wait();
    }, Math.max(state.arrows[at + 1].wait, calm()));
  }

  function calm() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM_MS : 0;
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    face("play", "Play");
  }

  function face(name, label) {
    play.replaceChildren(icon(name));
    play.setAttribute("aria-label", label);
    play.title = label;
  }

  function show(number) {
    at = Math.max(0, number);
    range.max = end();
    range.value = at;
    range.setAttribute("aria-valuetext", state.arrows[at].label);
    count.textContent = `${at + 1} of ${state.arrows.length}`;
  }

  const node = el(
    "div",
    { class: "mtls-scrubber", role: "group", "aria-label": "Step through the messages" },
    button("first", "First message", () => go(0)),
    button("back", "Previous message", () => go(at - 1)),
    play,
    button("forward", "Next message", () => go(at + 1)),
    button("last", "Last message", () => go(end())),
    range,
    count,
  );
  return { node, show, stop };
}
