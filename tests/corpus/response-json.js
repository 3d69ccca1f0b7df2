// Response.json with a status and headers.
export default { fetch: () => Response.json({ a: [1, null, "ü"] }, { status: 201, headers: { "X-Own": "1" } }) };
