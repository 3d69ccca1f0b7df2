# The answer's url: whole, without its fragment.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/who?x#y")
    return Response.json([answer.url, answer.redirected, answer.ok])
