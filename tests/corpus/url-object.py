# Credentials and fragment of a URL stay here, the query goes.
from urllib.parse import urlsplit

from workers import Response


async def on_fetch(request, env):
    url = urlsplit(f"{env.ORIGIN}/a%20b/../c?q=1&q=%C3%BC#part")
    seen = await (await env.GOOD.fetch(url._replace(netloc=f"user:secret@{url.netloc}").geturl())).json()
    return Response.json([seen["target"], any(name == "authorization" for name, _ in seen["headers"])])
