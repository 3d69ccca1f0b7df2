// Header names and values that cannot be.
export default {
  fetch() {
    const said = {};
    for (const [name, value] of [["a b", "x"], ["", "x"], ["X-Line", "a\nb"], ["X-Nul", "a\0b"], ["X-Wide", "ü€"]]) {
      try { said[name] = new Headers([[name, value]]).get(name); } catch (error) { said[name] = error.name; }
    }
    return Response.json(said);
  },
};
