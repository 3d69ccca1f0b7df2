// Three bindings asked at once do not mix.
export default {
  async fetch(request, env) {
    const names = ["GOOD", "RSA", "ED"].flatMap((name) => Array(5).fill(name));
    const seen = await Promise.all(names.map(async (name) => (await env[name].fetch(`${env.ORIGIN}/who`)).text()));
    return Response.json(names.map((name, at) => [name, seen[at]]));
  },
};
