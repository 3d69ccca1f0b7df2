# POST after 301, 302, 303 becomes GET without its body; after 307 and 308 it is sent again.
from workers import Response


async def on_fetch(request, env):
    seen = []
    for status in (301, 302, 303, 307, 308):
        url = f"{env.ORIGIN}/redirect/{status}?to=/landed"
        told = await (await env.GOOD.fetch(url, method="POST", body="data")).json()
        about = [pair for pair in told["headers"] if pair[0].startswith("content")]
        seen.append([status, told["method"], told["body"], about])
    return Response.json(seen)
