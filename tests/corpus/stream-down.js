// An origin's stream, read chunk by chunk.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/stream/20`);
    let text = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) text += chunk;
    return Response.json([text.split("\n").length, text.slice(0, 8), answer.headers.get("content-length")]);
  },
};
