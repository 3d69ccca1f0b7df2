// A redirect is followed, and the certificate is presented again.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/redirect/302?to=/who`);
    return Response.json([answer.status, answer.redirected, new URL(answer.url).pathname, await answer.text()]);
  },
};
