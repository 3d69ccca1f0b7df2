// respondWith after the listener has returned is too late.
addEventListener("fetch", (event) => {
  let told;
  const later = new Promise((resolve) => { told = resolve; });
  setTimeout(() => {
    try { event.respondWith(new Response("late")); told("accepted"); } catch (error) { told(error.name); }
  }, 1);
  event.respondWith(later.then((text) => new Response(text)));
});
