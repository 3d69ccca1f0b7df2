// POST after 301, 302, 303 becomes GET without its body; after 307 and 308 it is sent again.
export default {
  async fetch(request, env) {
    const seen = [];
    for (const status of [301, 302, 303, 307, 308]) {
      const answer = await env.GOOD.fetch(`${env.ORIGIN}/redirect/${status}?to=/landed`, { method: "POST", body: "data" });
      const told = await answer.json();
      seen.push([status, told.method, told.body, told.headers.filter(([name]) => name.startsWith("content"))]);
    }
    return Response.json(seen);
  },
};
