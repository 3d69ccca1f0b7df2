# asyncio.timeout ends a fetch with a TimeoutError.
import asyncio


async def on_fetch(request, env):
    async with asyncio.timeout(0.02):
        return await env.GOOD.fetch(f"{env.ORIGIN}/silent")
