# Nobody listens: the fetch raises.
async def on_fetch(request, env):
    return await env.GOOD.fetch(env.CLOSED)
