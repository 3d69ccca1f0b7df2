// text() is UTF-8 whatever the charset says; a TextDecoder reads the other.
export default {
  async fetch(request, env) {
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/latin`);
    const bytes = await answer.clone().arrayBuffer();
    return Response.json([await answer.text(), new TextDecoder("iso-8859-1").decode(bytes)]);
  },
};
