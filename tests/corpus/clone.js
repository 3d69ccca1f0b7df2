// A body read twice, by clone.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/who`);
    const copy = answer.clone();
    return Response.json([await copy.text(), await answer.text(), copy.url === answer.url]);
  },
};
