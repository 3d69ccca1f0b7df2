// A listener may be an object with handleEvent.
addEventListener("fetch", { handleEvent(event) { event.respondWith(new Response("from an object")); } });
