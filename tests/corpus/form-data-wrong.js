// formData of a body that is no form is a TypeError.
// request: {"method": "POST", "url": "/", "body": "{}", "headers": [["Content-Type", "application/json"]]}
export default {
  async fetch(request) {
    return Response.json([...(await request.formData())]);
  },
};
