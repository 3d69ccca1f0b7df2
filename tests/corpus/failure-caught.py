# A failed fetch is caught, and a good one after it works.
from workers import Response


async def on_fetch(request, env):
    try:
        await env.REFUSED.fetch(env.ORIGIN)
    except OSError as error:
        said = f"{type(error).__name__} {str(isinstance(error, Exception)).lower()}"
    return Response.json([said, await (await env.GOOD.fetch(f"{env.ORIGIN}/who")).text()])
