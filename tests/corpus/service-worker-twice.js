// respondWith may be called once: the second call throws, the first answer stands.
addEventListener("fetch", (event) => {
  event.respondWith(new Response("first"));
  try {
    event.respondWith(new Response("second"));
  } catch (error) {
    console.log(`${error.name}`);
  }
});
