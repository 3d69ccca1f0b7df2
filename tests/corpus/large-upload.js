// The client's long body, echoed by the origin.
// request: {"method": "POST", "url": "/up", "repeat": 300000, "body": "z"}
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/echo`, { method: "POST", body: request.body });
    return new Response((await answer.text()).length);
  },
};
