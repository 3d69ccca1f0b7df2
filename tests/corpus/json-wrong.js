// json() of what is no JSON is a SyntaxError.
export default {
  async fetch(request, env) {
    return Response.json(await (await env.GOOD.fetch(`${env.ORIGIN}/who`)).json());
  },
};
