// A rejected answer fails the request with its own error.
addEventListener("fetch", (event) => event.respondWith(Promise.reject(new SyntaxError("from the answer"))));
