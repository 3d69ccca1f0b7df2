// A body that was read cannot be read again.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/who`);
    await answer.text();
    return new Response(`${answer.bodyUsed} ${await answer.text()}`);
  },
};
