// The worker's own stream fails midway.
export default {
  fetch() {
    return new Response(new ReadableStream({ async pull(to) {
      to.enqueue(new Uint8Array(9)); await scheduler.wait(2); to.error(new Error("midway")); } }));
  },
};
