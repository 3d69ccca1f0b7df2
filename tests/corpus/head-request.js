// HEAD through the binding: headers, no body.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/who`, { method: "HEAD" });
    return Response.json([answer.status, answer.headers.get("content-length"), await answer.text()]);
  },
};
