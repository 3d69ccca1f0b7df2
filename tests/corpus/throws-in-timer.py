# A raise in a timer does not end the request.
import asyncio

from workers import Response


def fails():
    raise RuntimeError("in a timer")


async def on_fetch(request):
    asyncio.get_running_loop().call_later(0.001, fails)
    await asyncio.sleep(0.01)
    return Response("answered")
