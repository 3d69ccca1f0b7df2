// A streamed body cannot be sent twice: 307 fails.
export default {
  async fetch(request, env) {
    const body = new ReadableStream({ start(to) { to.enqueue(new TextEncoder().encode("once")); to.close(); } });
    return await env.GOOD.fetch(`${env.ORIGIN}/redirect/307?to=/landed`, { method: "POST", body });
  },
};
