# A body that was read cannot be read again.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/who")
    await answer.text()
    return Response(f"{answer.body_used} {await answer.text()}")
