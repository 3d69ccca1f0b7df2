// Promises within promises, thenables, async generators.
export default {
  async fetch(request, env) {
    const thenable = { then(resolve) { resolve(env.GOOD.fetch(`${env.ORIGIN}/who`)); } };
    async function* names() { for (const name of ["GOOD", "RSA"]) yield (await env[name].fetch(`${env.ORIGIN}/who`)).text(); }
    const found = [];
    for await (const name of names()) found.push(name);
    return Response.json([await (await thenable).text(), found, await Promise.resolve(Promise.resolve(3))]);
  },
};
