# One binding, two names of the origin: each is verified by its own name.
import asyncio

from workers import Response


async def on_fetch(request, env):
    both = await asyncio.gather(*(env.GOOD.fetch(f"{host}/") for host in (env.ORIGIN, env.OTHER)))
    return Response.json([(await one.json())["client"] for one in both])
