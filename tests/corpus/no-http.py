# An origin that does not speak HTTP: the fetch raises.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/no-http")
