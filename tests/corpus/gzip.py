# A gzip answer is unpacked for the worker.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/gzip")
    headers = answer.headers
    return Response.json([await answer.text(), headers["content-encoding"], headers["content-length"]])
