# Timers that come again, and one that is cancelled.
import asyncio

from workers import Response


async def on_fetch(request):
    loop = asyncio.get_running_loop()
    seen = []

    def tick(what):
        seen.append(what)
        if len(seen) < 3:
            loop.call_later(0.001, tick, what)

    loop.call_later(0.001, tick, "tick")
    loop.call_later(0.001, seen.append, "never").cancel()
    await asyncio.sleep(0.03)
    return Response.json(seen)
