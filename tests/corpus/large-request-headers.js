// Twenty thousand bytes of headers to the origin.
export default {
  async fetch(request, env) {
    const headers = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`X-Large-${n}`, "v".repeat(1000)]));
    const seen = await (await env.GOOD.fetch(env.ORIGIN, { headers })).json();
    return new Response(seen.headers.filter(([name]) => name.startsWith("x-large")).length);
  },
};
