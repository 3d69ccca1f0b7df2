# A Host header of one's own is ignored.
from urllib.parse import urlsplit

from workers import Response


async def on_fetch(request, env):
    seen = await (await env.GOOD.fetch(env.ORIGIN, headers={"Host": "other.example"})).json()
    hosts = [value for name, value in seen["headers"] if name == "host"]
    return Response.json([value == urlsplit(env.ORIGIN).netloc for value in hosts])
