// 204 and 304 of the origin have no body.
export default {
  async fetch(request, env) {
    const seen = [];
    for (const status of [204, 304, 200]) {
      const answer = await env.GOOD.fetch(`${env.ORIGIN}/status/${status}`);
      seen.push([answer.status, answer.body === null, await answer.text()]);
    }
    return Response.json(seen);
  },
};
