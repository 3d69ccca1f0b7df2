// A throw in a timer does not end the request.
export default {
  async fetch() {
    setTimeout(() => { throw new Error("in a timer"); }, 1);
    await scheduler.wait(10);
    return new Response("answered");
  },
};
