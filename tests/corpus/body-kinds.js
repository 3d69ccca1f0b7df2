// Bodies of every kind, and the Content-Type that each implies.
export default {
  async fetch(request, env) {
    const bodies = ["text", new Uint8Array([1, 2]), new Uint8Array([3]).buffer, new Blob(["blob"], { type: "text/x" }), new URLSearchParams({ a: "1 2" }), null];
    const seen = [];
    for (const body of bodies) {
      const told = await (await env.GOOD.fetch(env.ORIGIN, { method: "POST", body })).json();
      seen.push([told.body, told.headers.filter(([name]) => /^content-|^transfer/.test(name))]);
    }
    return Response.json(seen);
  },
};
