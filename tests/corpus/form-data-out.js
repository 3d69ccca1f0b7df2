// FormData as a body: multipart, with a boundary of its own.
export default {
  async fetch(request, env) {
    const form = new FormData();
    form.append("a", "1");
    form.append("a", "ü");
    form.append("file", new File(["content"], "name.txt", { type: "text/plain" }));
    const answer = await env.GOOD.fetch(`${env.ORIGIN}/echo`, { method: "POST", body: form });
    const back = await answer.formData();
    return Response.json([back.getAll("a"), back.get("file").name, back.get("file").type, await back.get("file").text()]);
  },
};
