# One stream up and the echo down at the same time.
import asyncio

from workers import Response


async def on_fetch(request, env):
    queue = asyncio.Queue()

    async def upload():
        while (chunk := await queue.get()) is not None:
            yield chunk

    queue.put_nowait("ping")
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/echo", method="POST", body=upload())
    chunks = aiter(answer.body)
    first = (await anext(chunks)).decode()
    queue.put_nowait(b"pong")
    second = (await anext(chunks)).decode()
    queue.put_nowait(None)
    return Response.json([first, second, await anext(chunks, None) is None])
