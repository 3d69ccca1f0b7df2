// So may an object.
export default { fetch() { throw { code: 7 }; } };
