// AbortSignal.timeout ends a fetch with a TimeoutError.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/silent`, { signal: AbortSignal.timeout(20) });
  },
};
