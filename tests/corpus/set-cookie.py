# Set-Cookie lines of the origin stay apart; other equal names are joined.
from workers import Response


async def on_fetch(request, env):
    headers = (await env.GOOD.fetch(f"{env.ORIGIN}/cookies")).headers
    return Response.json([headers.get_all("set-cookie"), headers["x-twice"], headers.get_all("Set-Cookie")])
