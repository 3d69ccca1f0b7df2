// An origin that breaks off within the body: the answer is there, its reading rejects.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/broken`);
    try { return new Response(await answer.text()); } catch (error) { return new Response(`${answer.status} ${error.name}`); }
  },
};
