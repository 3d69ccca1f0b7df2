// The announcement's shape: a module whose handler returns what the binding's fetch returned.
export default {
  async fetch(request, environment) {
    return await environment.GOOD.fetch(environment.ORIGIN);
  },
};
