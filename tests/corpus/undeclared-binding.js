// A name that nothing declares is undefined; its fetch is a TypeError.
export default {
  async fetch(request, env) {
    return await env.NOT_BOUND.fetch(env.ORIGIN);
  },
};
