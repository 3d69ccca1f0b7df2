# An origin's stream, changed on its way to the client by an asynchronous generator.
from workers import Response


async def louder(chunks):
    async for chunk in chunks:
        yield chunk.decode().upper()


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/stream/5")
    return Response(louder(answer.body), headers={"Content-Type": "text/plain"})
