# redirect="manual" gives the redirect itself.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/redirect/301?to=/who", redirect="manual")
    return Response.json([answer.status, answer.headers["location"], answer.redirected, await answer.text()])
