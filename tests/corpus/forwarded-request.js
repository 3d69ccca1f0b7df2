// The request itself, sent on with another address.
// request: {"method": "POST", "url": "/in?x=1", "body": "the body", "headers": [["X-Mine", "kept"], ["Content-Type", "text/x"]]}
export default {
  async fetch(request, env) {
    const seen = await (await env.GOOD.fetch(new Request(`${env.ORIGIN}/on`, request))).json();
    return Response.json([seen.method, seen.target, seen.body, seen.headers.filter(([name]) => /^x-|content/.test(name))]);
  },
};
