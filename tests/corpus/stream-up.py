# A generator of the worker's own as a request's body.
from workers import Response


async def many():
    for _ in range(8):
        yield b"A" * 10_000


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/echo", method="POST", body=many())
    return Response(str(len(await answer.buffer())))
