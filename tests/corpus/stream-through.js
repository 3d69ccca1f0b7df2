// An origin's stream, changed on its way to the client by a TransformStream.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/stream/5`);
    const louder = new TransformStream({ transform(chunk, to) { to.enqueue(chunk.toUpperCase()); } });
    const body = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(louder).pipeThrough(new TextEncoderStream());
    return new Response(body, { headers: { "Content-Type": "text/plain" } });
  },
};
