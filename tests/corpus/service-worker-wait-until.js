// waitUntil of the event keeps work going; its lines are the worker's.
addEventListener("fetch", (event) => {
  event.waitUntil(GOOD.fetch(`${ORIGIN}/who`).then((reply) => reply.text()));
  event.respondWith(new Response("answered"));
});
