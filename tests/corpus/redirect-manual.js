// redirect: "manual" gives the redirect itself.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/redirect/301?to=/who`, { redirect: "manual" });
    return Response.json([answer.status, answer.headers.get("location"), answer.redirected, await answer.text()]);
  },
};
