// A fetch that waits for a silent origin is aborted.
export default {
  async fetch(request, env) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    try { await env.GOOD.fetch(`${env.ORIGIN}/silent`, { signal: stop.signal }); } catch (error) { return new Response(`${error.name} ${stop.signal.aborted}`); }
  },
};
