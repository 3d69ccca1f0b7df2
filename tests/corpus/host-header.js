// A Host header of one's own is ignored.
export default {
  async fetch(request, env) {
    const seen = await (await env.GOOD.fetch(env.ORIGIN, { headers: { Host: "other.example" } })).json();
    return Response.json(seen.headers.filter(([name]) => name === "host").map(([, value]) => value === new URL(env.ORIGIN).host));
  },
};
