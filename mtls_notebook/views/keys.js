// Keeps what is typed in a widget from the notebook's own shortcuts ("d d" deletes a cell). Lab hears keys when
// they bubble up, so stopping them is enough; Notebook 7 hears them first, on the document, and is told by an
// attribute of the very element that has the focus (on the widget it would be too late: the shortcut's
// selector has matched by then). What the notebook needs (Shift+Enter, anything with Ctrl, Meta or Alt)
// passes. Escape leaves the widget: the notebook has the keys again. Returns how to stop. Exports nothing (see assets.py).

function shieldKeys(root) {
  const isForNotebook = (event) => event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");

  function decide(event) {
    if (root.contains(event.target)) event.target.toggleAttribute("data-lm-suppress-shortcuts", !isForNotebook(event));
  }

  function stop(event) {
    if (isForNotebook(event)) return;
    event.stopPropagation();
    if (event.key === "Escape" && !event.defaultPrevented) leave(event.target);
  }

  // A page without a notebook around it (an exported one) only loses the focus.
  function leave(focused) {
    const around = [root.closest(".jp-Cell"), root.closest(".jp-Notebook")].find((box) => box?.hasAttribute("tabindex"));
    if (around) around.focus({ preventScroll: true });
    else focused.blur();
  }

  window.addEventListener("keydown", decide, true);
  root.addEventListener("keydown", stop);
  return () => window.removeEventListener("keydown", decide, true);
}
