// [vars] arrive as text or as JSON.
export default {
  fetch(request, env) {
    return Response.json({ text: env.TEXT, number: env.NUMBER, object: env.OBJECT, kinds: [typeof env.TEXT, typeof env.NUMBER] });
  },
};
