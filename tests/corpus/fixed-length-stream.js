// A FixedLengthStream gives its request a Content-Length.
export default {
  async fetch(request, env) {
    const { readable, writable } = new FixedLengthStream(5);
    const writer = writable.getWriter();
    writer.write(new TextEncoder().encode("12345"));
    writer.close();
    const seen = await (await env.GOOD.fetch(env.ORIGIN, { method: "POST", body: readable })).json();
    return Response.json([seen.body, seen.headers.filter(([name]) => /length|encoding/.test(name))]);
  },
};
