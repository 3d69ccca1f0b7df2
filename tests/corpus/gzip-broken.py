# A body that says gzip and is none fails the reading.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/bad-gzip")
    try:
        return Response(await answer.text())
    except OSError as error:
        return Response(f"{answer.status} {type(error).__name__}")
