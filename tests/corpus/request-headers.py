# Header names are told apart without case, values are trimmed, equal names are joined.
from workers import Response


async def on_fetch(request, env):
    headers = [("X-A", " one "), ("x-a", "two"), ("User-Agent", "mine/1"), ("Accept", "text/*"), ("Cookie", "a=1")]
    seen = await (await env.GOOD.fetch(env.ORIGIN, headers=headers)).json()
    names = ("x-a", "user-agent", "accept", "cookie")
    return Response.json([pair for pair in seen["headers"] if pair[0] in names])
