# PUT after 302 and after 303.
from workers import Response


async def on_fetch(request, env):
    seen = []
    for status in (302, 303):
        url = f"{env.ORIGIN}/redirect/{status}?to=/landed"
        told = await (await env.GOOD.fetch(url, method="PUT", body="data")).json()
        seen.append([status, told["method"], told["body"]])
    return Response.json(seen)
