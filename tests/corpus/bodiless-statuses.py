# 204 and 304 of the origin have no body.
from workers import Response


async def on_fetch(request, env):
    seen = []
    for status in (204, 304, 200):
        answer = await env.GOOD.fetch(f"{env.ORIGIN}/status/{status}")
        seen.append([answer.status, answer.body is None, await answer.text()])
    return Response.json(seen)
