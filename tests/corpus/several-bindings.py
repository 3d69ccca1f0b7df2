# Each binding presents its own certificate, in whatever order they are asked.
from workers import Response


async def on_fetch(request, env):
    seen = []
    for binding in (env.GOOD, env.RSA, env.ED, env.GOOD, env.ED, env.RSA):
        seen.append(await (await binding.fetch(f"{env.ORIGIN}/who")).text())
    return Response.json(seen)
