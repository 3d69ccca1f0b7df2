# A fetch that waits for a silent origin is cancelled.
import asyncio

from workers import Response


async def on_fetch(request, env):
    work = asyncio.ensure_future(env.GOOD.fetch(f"{env.ORIGIN}/silent"))
    asyncio.get_running_loop().call_later(0.02, work.cancel)
    try:
        await work
    except asyncio.CancelledError as error:
        return Response(f"{type(error).__name__} {str(work.cancelled()).lower()}")
