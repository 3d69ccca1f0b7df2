// An error of the worker's own class.
class Mine extends Error { name = "Mine"; }
export default { fetch() { throw new Mine("own"); } };
