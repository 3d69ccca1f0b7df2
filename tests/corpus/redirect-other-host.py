# A redirect to another host is followed through the same binding.
from urllib.parse import urlsplit

from workers import Response


async def on_fetch(request, env):
    headers = {"Authorization": "Bearer x", "X-Kept": "1"}
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/redirect/302?to={env.OTHER}/landed", headers=headers)
    told = await answer.json()
    kept = [pair for pair in told["headers"] if pair[0] in ("authorization", "x-kept")]
    return Response.json([told["client"], kept, urlsplit(answer.url).hostname])
