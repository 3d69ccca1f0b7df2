# A streamed body read twice, at the same time.
import asyncio

from workers import Response


async def on_fetch(request, env):
    left = await env.GOOD.fetch(f"{env.ORIGIN}/stream/3")
    right = left.clone()
    return Response.json(await asyncio.gather(left.text(), right.text()))
