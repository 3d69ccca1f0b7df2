// A URL object may be fetched: credentials and fragment stay here, the query goes.
export default {
  async fetch(request, env) {
    const url = new URL("/a%20b/../c?q=1&q=%C3%BC#part", env.ORIGIN);
    url.username = "user";
    url.password = "secret";
    const seen = await (await env.GOOD.fetch(url)).json();
    return Response.json([seen.target, seen.headers.some(([name]) => name === "authorization")]);
  },
};
