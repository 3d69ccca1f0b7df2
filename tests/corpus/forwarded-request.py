# The request itself, sent on with another address.
import re

from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(
        f"{env.ORIGIN}/on", method=request.method, headers=request.headers, body=await request.bytes()
    )
    seen = await answer.json()
    kept = [pair for pair in seen["headers"] if re.search("^x-|content", pair[0])]
    return Response.json([seen["method"], seen["target"], seen["body"], kept])
