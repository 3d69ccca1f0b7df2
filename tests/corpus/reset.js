// An origin that resets the connection: the fetch rejects.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/reset`);
  },
};
