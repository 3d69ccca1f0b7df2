// A preflight request and its answer.
// request: {"method": "OPTIONS", "url": "/cors", "headers": [["Origin", "https://site.example"], ["Access-Control-Request-Method", "PUT"]]}
export default {
  fetch: (request) =>
    new Response(null, { headers: { "Access-Control-Allow-Origin": request.headers.get("origin"), "Access-Control-Allow-Methods": request.headers.get("access-control-request-method") } }),
};
