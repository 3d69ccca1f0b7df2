// A fetch torn from its binding is an illegal invocation; bound again it works.
export default {
  async fetch(request, env) {
    const loose = env.GOOD.fetch;
    let said;
    try { await loose(`${env.ORIGIN}/who`); } catch (error) { said = `${error.name}: ${error.message}`; }
    const tied = env.GOOD.fetch.bind(env.GOOD);
    return Response.json([said.split(":")[0], /illegal invocation/i.test(said), await (await tied(`${env.ORIGIN}/who`)).text()]);
  },
};
