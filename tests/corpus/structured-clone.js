// structuredClone keeps maps, dates and cycles, and refuses functions.
export default {
  fetch() {
    const source = { map: new Map([[1, { deep: true }]]), date: new Date(0), set: new Set(["a"]) };
    source.self = source;
    const copy = structuredClone(source);
    let said;
    try { structuredClone(() => {}); } catch (error) { said = error.name; }
    return Response.json([copy.map.get(1).deep, copy.date.toISOString(), copy.set.has("a"), copy.self === copy, said]);
  },
};
