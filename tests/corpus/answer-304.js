// Not modified, with an ETag.
export default { fetch: () => new Response(null, { status: 304, headers: { ETag: '"v1"' } }) };
