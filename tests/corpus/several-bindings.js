// Each binding presents its own certificate, in whatever order they are asked.
export default {
  async fetch(request, env) {
    const seen = [];
    for (const binding of [env.GOOD, env.RSA, env.ED, env.GOOD, env.ED, env.RSA]) {
      seen.push(await (await binding.fetch(`${env.ORIGIN}/who`)).text());
    }
    return Response.json(seen);
  },
};
