// A string is no error, but it may be thrown.
export default { fetch() { throw "just text"; } };
