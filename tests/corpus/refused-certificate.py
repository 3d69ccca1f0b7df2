# A certificate of another CA: the origin refuses it and the fetch raises.
async def on_fetch(request, env):
    return await env.REFUSED.fetch(env.ORIGIN)
