// 300 and 304 are no redirects, and a bad address is an error.
export default {
  async fetch(request, env) {
    const said = [];
    for (const path of ["/status/300", "/status/304", "/redirect/302?to=https://["]) {
      try { said.push((await env.GOOD.fetch(env.ORIGIN + path)).status); } catch (error) { said.push(error.name); }
    }
    return Response.json(said);
  },
};
