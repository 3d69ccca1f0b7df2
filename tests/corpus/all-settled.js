// Good and bad fetches side by side.
export default {
  async fetch(request, env) {
    const all = [env.GOOD.fetch(env.ORIGIN), env.REFUSED.fetch(env.ORIGIN), env.RSA.fetch(env.ORIGIN), env.GOOD.fetch("nope")];
    return Response.json((await Promise.allSettled(all)).map((one) => one.status));
  },
};
