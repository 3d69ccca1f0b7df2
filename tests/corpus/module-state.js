// Module state is there when the handler runs; private fields, destructuring, optional chaining.
class Counter { static #made = 0; static next() { return ++Counter.#made; } }
const { a, ...rest } = { a: 1, b: 2, c: 3 };
export default { fetch: () => Response.json([Counter.next(), a, rest, undefined?.x ?? "none", [3, 1, 2].toSorted(), 2n ** 64n + ""]) };
