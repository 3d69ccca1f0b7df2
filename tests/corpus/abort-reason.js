// The reason that abort was given is what the fetch rejects with.
export default {
  async fetch(request, env) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new RangeError("mine")), 20);
    return await env.GOOD.fetch(`${env.ORIGIN}/silent`, { signal: stop.signal });
  },
};
