// A brotli answer is unpacked for the worker.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/br`);
    return Response.json([await answer.text(), answer.headers.get("content-encoding")]);
  },
};
