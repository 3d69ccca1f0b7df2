// Predict, then reveal: asks for each message of the server before it is shown, and grades the answer by
// what was recorded (prediction.py says which choice is right). Exports nothing (see assets.py).

// `guesses` are [arrow, choice] so far; `onGuess(guesses)` after each; `reveal(end)` shows the arrows up to
// and including `end`. Returns { node, end }.
function predictor(state, guesses, onGuess, reveal) {
  const node = el("section", { class: "mtls-question", "aria-label": "Prediction" });
  let made = [...guesses];

  // The last arrow before the question that is open; all of them once every question is answered.
  function end() {
    const open = state.questions[made.length];
    return open ? open.arrow - 1 : state.arrows.length - 1;
  }

  function score() {
    const right = made.filter(([, choice], at) => state.questions[at].choices.some((other) => other.right && other.name === choice)).length;
    return `${right} of ${made.length} right`;
  }

  function ask(focus) {
    const question = state.questions[made.length];
    if (!question) return finish();
    const buttons = question.choices.map((choice) => el("button", { type: "button", class: "mtls-choice", onclick: () => answer(question, choice) }, choice.name));
    node.replaceChildren(
      el("h4", {}, question.ask),
      el("div", { class: "mtls-choices", role: "group", "aria-label": "Choices" }, ...buttons),
      ...(made.length ? [el("p", { class: "mtls-muted" }, score())] : []), // replaceChildren would print a null
    );
    if (focus) buttons[0].focus({ preventScroll: true });
  }

  function answer(question, choice) {
    made = [...made, [question.arrow, choice.name]];
    onGuess(made);
    reveal(end(), question.arrow);
    const came = question.choices.find((other) => other.right);
    const next = el("button", { type: "button", class: "mtls-choice", onclick: () => ask(true) }, state.questions[made.length] ? "Next question" : "See the whole handshake");
    node.replaceChildren(verdict(choice, came), next);
    next.focus({ preventScroll: true });
  }

  function verdict(choice, came) {
    const words = choice.right ? `Right: ${came.name}.` : `Not this time: ${came.name} came.`;
    const box = el("div", { role: "status", class: `mtls-check mtls-check-${choice.right ? "holds" : "fails"}` });
    box.append(el("p", {}, proofMark(choice.right ? "holds" : "fails"), " ", el("strong", {}, words), " ", came.why));
    if (!choice.right) box.append(el("p", {}, el("strong", {}, `${choice.name}: `), choice.why));
    return box;
  }

  function finish() {
    node.replaceChildren(el("p", { role: "status" }, el("strong", {}, `${score()}.`), " That was the whole handshake: step through it as you like."));
  }

  ask(false);
  return { node, end };
}
