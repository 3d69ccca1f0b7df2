// A handler that is no async function and returns its Response at once.
export default {
  fetch(request, env, ctx) {
    return new Response(`${typeof env} ${typeof ctx.waitUntil} ${arguments.length}`);
  },
};
