// The answer's url: whole, without its fragment.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/who?x#y`);
    return Response.json([answer.url, answer.redirected, answer.type, answer.ok]);
  },
};
