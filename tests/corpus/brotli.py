# A brotli answer is not unpacked here, and its header says so.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/br")
    return Response.json([await answer.text(), answer.headers["content-encoding"]])
