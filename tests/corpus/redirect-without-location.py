# 300 and 304 are no redirects, and a bad address is an error.
from workers import Response


async def on_fetch(request, env):
    said = []
    for path in ("/status/300", "/status/304", "/redirect/302?to=https://["):
        try:
            said.append((await env.GOOD.fetch(env.ORIGIN + path)).status)
        except Exception as error:
            said.append(type(error).__name__)
    return Response.json(said)
