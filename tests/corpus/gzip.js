// A gzip answer is unpacked for the worker, and its header still says so.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/gzip`);
    return Response.json([await answer.text(), answer.headers.get("content-encoding"), answer.headers.get("content-length")]);
  },
};
