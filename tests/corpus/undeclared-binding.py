# A name that nothing declares is an AttributeError.
async def on_fetch(request, env):
    return await env.NOT_BOUND.fetch(env.ORIGIN)
