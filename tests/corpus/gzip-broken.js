// A body that says gzip and is none fails the reading.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/bad-gzip`);
    try { return new Response(await answer.text()); } catch (error) { return new Response(`${answer.status} ${error.name}`); }
  },
};
