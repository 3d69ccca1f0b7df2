// Header names are told apart without case, values are trimmed, equal names are joined.
export default {
  async fetch(request, env) {
    const headers = new Headers([["X-A", " one "], ["x-a", "two"], ["User-Agent", "mine/1"], ["Accept", "text/*"], ["Cookie", "a=1"]]);
    const seen = await (await env.GOOD.fetch(env.ORIGIN, { headers })).json();
    return Response.json(seen.headers.filter(([name]) => ["x-a", "user-agent", "accept", "cookie"].includes(name)));
  },
};
