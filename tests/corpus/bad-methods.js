// Methods: unknown ones, forbidden ones, lower case.
export default {
  async fetch(request, env) {
    const said = {};
    for (const method of ["get", "patch", "PATCH", "TRACE", "CONNECT", "NOPE", "G E T", ""]) {
      try { said[method] = new Request(env.ORIGIN, { method }).method; } catch (error) { said[method] = error.name; }
    }
    return Response.json(said);
  },
};
