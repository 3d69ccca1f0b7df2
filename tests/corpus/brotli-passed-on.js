// A brotli answer given to the client as it came.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/br`);
  },
};
