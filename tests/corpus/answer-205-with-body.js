// A status that cannot have a body, with one, is a TypeError.
export default { fetch: () => new Response("body", { status: 204 }) };
