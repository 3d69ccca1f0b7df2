// An origin that does not speak HTTP: the fetch rejects.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/no-http`);
  },
};
