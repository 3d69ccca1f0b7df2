// Work after the answer: it may fetch.
export default {
  async fetch(request, env, ctx) {
    ctx.waitUntil(env.GOOD.fetch(`${env.ORIGIN}/who`).then((reply) => reply.text()));
    return new Response("answered first");
  },
};
