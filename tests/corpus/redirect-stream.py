# A streamed body cannot be sent twice: 307 fails.
async def once():
    yield b"once"


async def on_fetch(request, env):
    return await env.GOOD.fetch(f"{env.ORIGIN}/redirect/307?to=/landed", method="POST", body=once())
