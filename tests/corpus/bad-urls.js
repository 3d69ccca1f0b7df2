// What is no URL, and which schemes are not fetched.
export default {
  async fetch(request, env) {
    const said = {};
    for (const url of ["", "not a url", "https://", "ftp://localhost/", "data:,x", "http://[", "https://a b/"]) {
      try { await env.GOOD.fetch(url); said[url] = "fetched"; } catch (error) { said[url] = error.name; }
    }
    return Response.json(said);
  },
};
