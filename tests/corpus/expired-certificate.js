// An expired certificate: the origin refuses it and the fetch rejects.
export default {
  async fetch(request, env) {
    return await env.EXPIRED.fetch(env.ORIGIN);
  },
};
