# An origin that resets the connection: the fetch raises.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/reset")
