# GET and HEAD cannot have a body.
from workers import Response


async def on_fetch(request, env):
    said = []
    for method in ("GET", "HEAD"):
        try:
            await env.GOOD.fetch(env.ORIGIN, method=method, body="x")
            said.append("sent")
        except TypeError as error:
            said.append(f"TypeError: {error}")
    return Response.json(said)
