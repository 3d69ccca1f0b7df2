// Nobody listens: the fetch rejects.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(env.CLOSED);
  },
};
