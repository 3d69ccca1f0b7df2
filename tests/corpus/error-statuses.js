// Statuses of 400 and more are answers, not errors.
export default {
  async fetch(request, env) {
    const seen = [];
    for (const status of [400, 401, 403, 404, 418, 429, 500, 503, 599]) {
      const answer = await env.GOOD.fetch(`${env.ORIGIN}/status/${status}`);
      seen.push([answer.status, answer.statusText, answer.ok, await answer.text()]);
    }
    return Response.json(seen);
  },
};
