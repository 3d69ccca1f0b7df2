// Every header that arrives at the origin with a plain fetch.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/plain`);
  },
};
