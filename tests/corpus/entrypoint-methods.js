// Private methods and fields of an entrypoint hold one request's state.
import { WorkerEntrypoint } from "cloudflare:workers";
export default class Api extends WorkerEntrypoint {
  #seen = [];
  async fetch() {
    for (const name of ["GOOD", "RSA"]) await this.#ask(name);
    return Response.json(this.#seen);
  }
  async #ask(name) {
    this.#seen.push(await (await this.env[name].fetch(`${this.env.ORIGIN}/who`)).text());
  }
}
