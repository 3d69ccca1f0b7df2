# A body read twice, by clone.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/who")
    copy = answer.clone()
    return Response.json([await copy.text(), await answer.text(), copy.url == answer.url])
