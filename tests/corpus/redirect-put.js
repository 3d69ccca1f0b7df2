// PUT after 302 and after 303.
export default {
  async fetch(request, env) {
    const seen = [];
    for (const status of [302, 303]) {
      const answer = await env.GOOD.fetch(`${env.ORIGIN}/redirect/${status}?to=/landed`, { method: "PUT", body: "data" });
      const told = await answer.json();
      seen.push([status, told.method, told.body]);
    }
    return Response.json(seen);
  },
};
