// An error with a cause keeps its own name.
export default { async fetch() { try { null.x; } catch (cause) { throw new EvalError("outer", { cause }); } } };
