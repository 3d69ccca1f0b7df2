# Twenty fetches at once.
import asyncio

from workers import Response


async def on_fetch(request, env):
    async def target(number):
        return (await (await env.GOOD.fetch(f"{env.ORIGIN}/n/{number}")).json())["target"]

    return Response.json(await asyncio.gather(*map(target, range(20))))
