# Three bindings asked at once do not mix.
import asyncio

from workers import Response


async def on_fetch(request, env):
    names = [name for name in ("GOOD", "RSA", "ED") for _ in range(5)]

    async def who(name):
        return [name, await (await getattr(env, name).fetch(f"{env.ORIGIN}/who")).text()]

    return Response.json(await asyncio.gather(*map(who, names)))
