// Values of every kind in one line each.
export default {
  fetch() {
    console.log(1, -0, true, null, undefined, 12n, Symbol("s"), "text");
    console.log({ a: 1, b: { c: [1, 2] } });
    console.log([1, "two", null]);
    console.log(new Map([["k", 1]]), new Set([1]));
    return new Response("said");
  },
};
