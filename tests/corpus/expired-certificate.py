# An expired certificate: the origin refuses it and the fetch raises.
async def on_fetch(request, env):
    return await env.EXPIRED.fetch(env.ORIGIN)
