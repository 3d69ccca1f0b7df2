// The worker's own answer without a body.
export default { fetch: () => new Response(null, { status: 204, headers: { "X-Own": "1" } }) };
