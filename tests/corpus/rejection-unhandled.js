// A rejection that nobody handles does not end the request.
export default {
  async fetch() {
    Promise.reject(new Error("nobody"));
    await scheduler.wait(2);
    return new Response("answered");
  },
};
