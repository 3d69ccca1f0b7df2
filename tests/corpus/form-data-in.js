// A form that the client sent.
// request: {"method": "POST", "url": "/form", "body": "a=1&b=two+words&a=%C3%BC", "headers": [["Content-Type", "application/x-www-form-urlencoded"]]}
export default {
  async fetch(request) {
    return Response.json([...(await request.formData())]);
  },
};
