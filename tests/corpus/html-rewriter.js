// HTMLRewriter on a body.
export default {
  fetch() {
    const page = new Response("<p>old</p>", { headers: { "Content-Type": "text/html" } });
    return new HTMLRewriter().on("p", { element(found) { found.setInnerContent("new"); } }).transform(page);
  },
};
