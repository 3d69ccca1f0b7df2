// So may null.
export default { fetch() { throw null; } };
