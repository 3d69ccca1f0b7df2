# A gzip answer given to the client as it came.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/gzip")
