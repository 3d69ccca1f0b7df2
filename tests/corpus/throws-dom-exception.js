// A DOMException with a name.
export default { fetch() { throw new DOMException("dom", "DataError"); } };
