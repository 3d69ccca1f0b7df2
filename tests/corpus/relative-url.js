// A fetch needs a whole URL.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch("/relative");
  },
};
