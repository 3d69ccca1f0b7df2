// Code from text is refused.
export default {
  fetch() {
    const said = [];
    for (const run of [() => eval("1"), () => new Function("return 1")()]) {
      try { said.push(run()); } catch (error) { said.push(error.name); }
    }
    return Response.json(said);
  },
};
