# json() of what is no JSON is a JSONDecodeError.
from workers import Response


async def on_fetch(request, env):
    return Response.json(await (await env.GOOD.fetch(f"{env.ORIGIN}/who")).json())
