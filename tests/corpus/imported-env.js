// `env` imported from cloudflare:workers is the same environment, also at the top level.
import { env } from "cloudflare:workers";
const origin = env.ORIGIN;
export default {
  async fetch(request, given) {
    const who = await (await env.GOOD.fetch(`${origin}/who`)).text();
    return Response.json([who, given.TEXT === env.TEXT]);
  },
};
