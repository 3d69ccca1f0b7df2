// One stream up and the echo down at the same time.
export default {
  async fetch(request, env) {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const answer = env.GOOD.fetch(`${env.ORIGIN}/echo`, { method: "POST", body: readable });
    await writer.write(new TextEncoder().encode("ping"));
    const reader = (await answer).body.getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    await writer.write(new TextEncoder().encode("pong"));
    const second = new TextDecoder().decode((await reader.read()).value);
    await writer.close();
    return Response.json([first, second, (await reader.read()).done]);
  },
};
