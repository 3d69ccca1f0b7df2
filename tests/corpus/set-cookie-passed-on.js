// Cookies of the origin and one more, given to the client.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/cookies`);
    const passed = new Response("with cookies", answer);
    passed.headers.append("Set-Cookie", "own=3");
    passed.headers.delete("content-length");
    return passed;
  },
};
