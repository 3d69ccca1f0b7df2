// A script is sloppy code: an undeclared name becomes a global, `this` of a plain call is the global object.
counter = 41;
addEventListener("fetch", function (event) {
  counter += 1;
  const self_ = (function () { return this === globalThis; })();
  event.respondWith(new Response(`${counter} ${self_} ${event.type} ${event instanceof FetchEvent}`));
});
