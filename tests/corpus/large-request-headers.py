# Twenty thousand bytes of headers to the origin.
from workers import Response


async def on_fetch(request, env):
    headers = {f"X-Large-{number}": "v" * 1000 for number in range(20)}
    seen = await (await env.GOOD.fetch(env.ORIGIN, headers=headers)).json()
    return Response(str(sum(name.startswith("x-large") for name, _ in seen["headers"])))
