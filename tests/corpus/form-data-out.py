# FormData as a body: multipart, with a boundary of its own.
from workers import File, FormData, Response


async def on_fetch(request, env):
    form = FormData()
    form.append("a", "1")
    form.append("a", "ü")
    form.append("file", File(["content"], "name.txt", "text/plain"))
    back = await (await env.GOOD.fetch(f"{env.ORIGIN}/echo", method="POST", body=form)).form_data()
    file = back["file"]
    return Response.json([back.get_all("a"), file.name, file.content_type, await file.text()])
