// A body read twice, by tee.
export default {
  async fetch(request, env) {
    const [left, right] = (await env.GOOD.fetch(`${env.ORIGIN}/stream/3`)).body.tee();
    return Response.json(await Promise.all([left, right].map((one) => new Response(one).text())));
  },
};
