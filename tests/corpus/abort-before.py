# A fetch whose task is cancelled already does not start.
import asyncio


async def on_fetch(request, env):
    work = asyncio.ensure_future(env.GOOD.fetch(f"{env.ORIGIN}/who"))
    work.cancel()
    return await work
