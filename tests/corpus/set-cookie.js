// Set-Cookie lines of the origin stay apart; other equal names are joined.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/cookies`);
    return Response.json([answer.headers.getSetCookie(), answer.headers.get("x-twice"), answer.headers.getAll("set-cookie")]);
  },
};
