// Raw TCP to a port that nobody listens on.
import { connect } from "cloudflare:sockets";
export default {
  async fetch(request, env) {
    const socket = connect(new URL(env.CLOSED).host);
    try { await socket.opened; return new Response("opened"); } catch (error) { return new Response(error.name); }
  },
};
