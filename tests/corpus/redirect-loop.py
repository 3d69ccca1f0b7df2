# A redirect that leads to itself is given up.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/loop")
