// Methods beyond the five levels.
export default {
  fetch() {
    console.group("outer");
    console.log("inside");
    console.groupEnd();
    console.count();
    console.assert(false, "wrong");
    console.table([{ a: 1 }]);
    return new Response("said");
  },
};
