// Forty thousand bytes of headers from the origin.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/large-headers/40`);
    const large = [...answer.headers].filter(([name]) => name.startsWith("x-large"));
    return Response.json([large.length, large.reduce((sum, [, value]) => sum + value.length, 0)]);
  },
};
