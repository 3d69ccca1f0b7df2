# HEAD through the binding: headers, no body.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/who", method="HEAD")
    return Response.json([answer.status, answer.headers["content-length"], await answer.text()])
