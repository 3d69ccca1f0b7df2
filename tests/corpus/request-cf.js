// request.cf is what came with the request.
// request: {"url": "/", "cf": {"colo": "TST", "tlsClientAuth": {"certPresented": "1"}}}
export default { fetch: (request) => Response.json([request.cf.colo, request.cf.tlsClientAuth]) };
