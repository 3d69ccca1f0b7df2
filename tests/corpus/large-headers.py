# Forty thousand bytes of headers from the origin.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/large-headers/40")
    large = [value for name, value in answer.headers.items() if name.lower().startswith("x-large")]
    return Response.json([len(large), sum(map(len, large))])
