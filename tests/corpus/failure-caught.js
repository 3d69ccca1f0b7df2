// A failed fetch is caught, and a good one after it works.
export default {
  async fetch(request, env) {
    let said;
    try { await env.REFUSED.fetch(env.ORIGIN); } catch (error) { said = `${error.name} ${error instanceof Error}`; }
    return Response.json([said, await (await env.GOOD.fetch(`${env.ORIGIN}/who`)).text()]);
  },
};
