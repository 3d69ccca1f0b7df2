# The first of a silent and a quick origin.
import asyncio

from workers import Response


async def on_fetch(request, env):
    slow = asyncio.ensure_future(env.GOOD.fetch(f"{env.ORIGIN}/silent"))
    quick = asyncio.ensure_future(env.GOOD.fetch(f"{env.ORIGIN}/who"))
    (first,), _ = await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
    text = await first.result().text()
    slow.cancel()
    return Response(text)
