# The global fetch presents no certificate: the origin refuses.
from workers import fetch


async def on_fetch(request, env):
    return await fetch(env.ORIGIN)
