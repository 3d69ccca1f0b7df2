# redirect="error" is no choice here.
async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/redirect/302?to=/who", redirect="error")
