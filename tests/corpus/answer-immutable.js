// The headers of an origin's answer cannot be changed; those of a copy can.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/who`);
    let said;
    try { answer.headers.set("x-a", "1"); } catch (error) { said = error.name; }
    const copy = new Response(answer.body, answer);
    copy.headers.set("X-Said", said);
    return copy;
  },
};
