# A megabyte from the origin to the client.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/bytes/1048576")
