// The headers of the request cannot be changed; those of a copy can.
export default {
  fetch(request) {
    let said;
    try { request.headers.set("x-a", "1"); } catch (error) { said = error.name; }
    const copy = new Request(request);
    copy.headers.set("x-a", "2");
    return Response.json([said, copy.headers.get("x-a")]);
  },
};
