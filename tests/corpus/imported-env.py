# `env` imported from workers is the same environment, also at the top level.
from workers import Response, env

origin = env.ORIGIN


async def on_fetch(request, given):
    who = await (await env.GOOD.fetch(f"{origin}/who")).text()
    return Response.json([who, given.TEXT == env.TEXT])
