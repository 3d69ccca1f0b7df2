// TypeScript: types are erased, the rest is JavaScript.
interface Env { GOOD: Fetcher; ORIGIN: string }
type Names = Record<string, string>;
const names = (list: string[]): Names => Object.fromEntries(list.map((one) => [one, one.toUpperCase()]));
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const who = await (await env.GOOD.fetch(`${env.ORIGIN}/who` as string)).text();
    return Response.json(names([who!]));
  },
} satisfies ExportedHandler<Env>;
