// A Request object may be fetched, and an init changes it.
export default {
  async fetch(request, env) {
    const made = new Request(`${env.ORIGIN}/made`, { method: "POST", body: "first", headers: { "X-One": "1" } });
    const sent = await (await env.GOOD.fetch(made.clone())).json();
    const changed = await (await env.GOOD.fetch(made, { headers: { "X-Two": "2" }, method: "PUT" })).json();
    const named = (seen) => [seen.method, seen.target, seen.body, seen.headers.filter(([name]) => name.startsWith("x-"))];
    return Response.json([named(sent), named(changed)]);
  },
};
