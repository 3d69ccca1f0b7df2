// The first of a silent and a quick origin.
export default {
  async fetch(request, env) {
    const stop = new AbortController();
    const slow = env.GOOD.fetch(`${env.ORIGIN}/silent`, { signal: stop.signal }).catch(() => new Response("aborted"));
    const first = await Promise.race([slow, env.GOOD.fetch(`${env.ORIGIN}/who`)]);
    const text = await first.text();
    stop.abort();
    await slow;
    return new Response(text);
  },
};
