// GET and HEAD cannot have a body.
export default {
  async fetch(request, env) {
    const said = [];
    for (const method of ["GET", "HEAD"]) {
      try { await env.GOOD.fetch(env.ORIGIN, { method, body: "x" }); said.push("sent"); } catch (error) { said.push(`${error.name}: ${error.message}`); }
    }
    return Response.json(said);
  },
};
