# A task whose error nobody takes does not end the request.
import asyncio

from workers import Response


async def fails():
    raise RuntimeError("nobody")


async def on_fetch(request):
    asyncio.ensure_future(fails())  # noqa: RUF006 - that nobody holds it is the point
    await asyncio.sleep(0.002)
    return Response("answered")
