// Microtasks come before timers.
export default {
  async fetch() {
    const order = [];
    setTimeout(() => order.push("timer"), 0);
    queueMicrotask(() => order.push("microtask"));
    Promise.resolve().then(() => order.push("promise"));
    order.push("now");
    await scheduler.wait(5);
    return Response.json(order);
  },
};
