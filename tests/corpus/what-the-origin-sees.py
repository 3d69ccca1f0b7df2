# Every header that arrives at the origin with a plain fetch.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/plain")
