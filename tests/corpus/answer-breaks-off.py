# The worker's own body fails midway.
import asyncio

from workers import Response


async def body():
    yield bytes(9)
    await asyncio.sleep(0.002)
    raise RuntimeError("midway")


def on_fetch(request):
    return Response(body())
