// The first that succeeds; an AggregateError when none does.
export default {
  async fetch(request, env) {
    const one = await Promise.any([env.REFUSED.fetch(env.ORIGIN), env.GOOD.fetch(`${env.ORIGIN}/who`)]);
    let said;
    try { await Promise.any([env.REFUSED.fetch(env.ORIGIN), env.EXPIRED.fetch(env.ORIGIN)]); } catch (error) { said = [error.name, error.errors.length]; }
    return Response.json([await one.text(), said]);
  },
};
