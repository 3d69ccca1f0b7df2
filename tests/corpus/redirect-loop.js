// A redirect that leads to itself is given up.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/loop`);
  },
};
