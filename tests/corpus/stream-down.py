# An origin's stream, read chunk by chunk.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/stream/20")
    text = ""
    async for chunk in answer.body:
        text += chunk.decode()
    return Response.json([len(text.split("\n")), text[:8], answer.headers["content-length"]])
