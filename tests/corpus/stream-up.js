// A stream of the worker's own as a request's body.
export default {
  async fetch(request, env) {
    let left = 8;
    const body = new ReadableStream({ pull(to) { left-- > 0 ? to.enqueue(new Uint8Array(10_000).fill(65)) : to.close(); } });
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/echo`, { method: "POST", body });
    return new Response((await answer.arrayBuffer()).byteLength);
  },
};
