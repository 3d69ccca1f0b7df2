// redirect: "error" is no choice here.
export default {
  async fetch(request, env) {
    return await env.GOOD.fetch(`${env.ORIGIN}/redirect/302?to=/who`, { redirect: "error" });
  },
};
