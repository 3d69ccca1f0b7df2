# A redirect is followed, and the certificate is presented again.
from urllib.parse import urlsplit

from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/redirect/302?to=/who")
    return Response.json([answer.status, answer.redirected, urlsplit(answer.url).path, await answer.text()])
