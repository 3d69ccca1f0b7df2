// What the handler learns of its request.
// request: {"method": "PUT", "url": "/p/%C3%BC?q=a+b", "body": "12345", "headers": [["X-Mine", "1"], ["Content-Type", "text/plain"]]}
export default {
  async fetch(request) {
    const url = new URL(request.url);
    return Response.json([request.method, url.pathname, url.searchParams.get("q"), request.headers.get("x-mine"),
      request.headers.get("content-length"), request.redirect, request.bodyUsed, await request.text(), request.bodyUsed]);
  },
};
