// A redirect to another host is followed through the same binding.
export default {
  async fetch(request, env) {
    const headers = { Authorization: "Bearer x", "X-Kept": "1" };
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/redirect/302?to=${env.OTHER}/landed`, { headers });
    const told = await answer.json();
    return Response.json([told.client, told.headers.filter(([name]) => ["authorization", "x-kept"].includes(name)), new URL(answer.url).hostname]);
  },
};
