// Format directives.
export default {
  fetch() {
    console.log("%s is %d", "a", 1.5, "rest");
    console.log("100%");
    return new Response("said");
  },
};
