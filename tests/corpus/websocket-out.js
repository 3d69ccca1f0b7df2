// A WebSocket through a binding to an origin that knows none.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/who`, { headers: { Upgrade: "websocket" } });
    return Response.json([answer.status, answer.webSocket === null]);
  },
};
