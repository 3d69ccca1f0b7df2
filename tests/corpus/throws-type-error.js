// An error of V8's own.
export default { fetch() { return null.x; } };
