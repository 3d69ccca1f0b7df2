# A fetch needs a whole URL.
async def on_fetch(request, env):
    return await env.GOOD.fetch("/relative")
