// A certificate of another CA: the origin refuses it and the fetch rejects.
export default {
  async fetch(request, env) {
    return await env.REFUSED.fetch(env.ORIGIN);
  },
};
