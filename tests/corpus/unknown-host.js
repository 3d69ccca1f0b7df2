// A name that nobody has: the fetch rejects.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch("https://no-such-host.invalid/");
  },
};
