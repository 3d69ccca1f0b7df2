// An Error.
export default { fetch() { throw new Error("plain"); } };
