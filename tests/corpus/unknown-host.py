# A name that nobody has: the fetch raises.
async def on_fetch(request, env):
    return await env.GOOD.fetch("https://no-such-host.invalid/")
