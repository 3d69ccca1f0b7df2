// The global fetch presents no certificate: the origin refuses.
export default {
  async fetch(request, env) {
    return await fetch(env.ORIGIN);
  },
};
