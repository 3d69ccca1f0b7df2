# An origin that breaks off within the body: the answer is there, its reading raises.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/broken")
    try:
        return Response(await answer.text())
    except OSError as error:
        return Response(f"{answer.status} {type(error).__name__}")
