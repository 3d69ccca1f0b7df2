// The client's HEAD: the answer's body stays here.
// request: {"method": "HEAD", "url": "/head"}
export default { fetch: (request) => new Response(request.method, { headers: { "X-Method": request.method } }) };
