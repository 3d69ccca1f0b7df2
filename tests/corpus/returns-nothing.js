// A handler that returns nothing.
export default { fetch() {} };
