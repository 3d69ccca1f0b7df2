// A listener that throws fails the request with its own error.
addEventListener("fetch", () => {
  throw new RangeError("from the listener");
});
