// A fetch whose signal is aborted already does not start.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/who`, { signal: AbortSignal.abort() });
  },
};
