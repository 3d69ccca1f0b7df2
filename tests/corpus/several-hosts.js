// One binding, two names of the origin: each is verified by its own name.
export default {
  async fetch(request, env) {
    const both = await Promise.all([env.ORIGIN, env.OTHER].map((host) => env.GOOD.fetch(`${host}/`)));
    return Response.json(await Promise.all(both.map(async (one) => (await one.json()).client)));
  },
};
