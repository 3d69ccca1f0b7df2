// What a binding looks like from inside.
export default {
  fetch(request, env) {
    return Response.json({
      name: env.GOOD.constructor.name, text: String(env.GOOD), json: JSON.stringify(env.GOOD), kind: typeof env.GOOD,
      keys: Object.keys(env).sort(), own: Object.keys(env.GOOD), tag: Object.prototype.toString.call(env.GOOD),
      same: env.GOOD === env.GOOD, fetch: typeof env.GOOD.fetch, has: "GOOD" in env, none: "NONE" in env,
    });
  },
};
