// Service-worker syntax: bindings and variables are globals, also at the top level.
const where = `${ORIGIN}/who`;
addEventListener("fetch", (event) => {
  event.respondWith(answer(event.request));
});
async function answer(request) {
  const reply = await GOOD.fetch(where);
  return new Response(`${request.method} ${TEXT} ${await reply.text()}`);
}
