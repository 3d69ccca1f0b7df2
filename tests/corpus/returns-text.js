// A handler that returns text.
export default { fetch: () => "text" };
