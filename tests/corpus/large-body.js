// A megabyte from the origin to the client.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/bytes/1048576`);
  },
};
