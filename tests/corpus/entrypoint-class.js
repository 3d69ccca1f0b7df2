// A WorkerEntrypoint class: env and ctx are its own.
import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  async fetch(request) {
    const answer = await this.env.GOOD.fetch(`${this.env.ORIGIN}/who`);
    return new Response(`${new URL(request.url).pathname} ${await answer.text()} ${typeof this.ctx.waitUntil}`);
  }
}
