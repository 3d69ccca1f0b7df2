# What is no URL, and which schemes are not fetched.
from workers import Response


async def on_fetch(request, env):
    said = {}
    for url in ["", "not a url", "https://", "ftp://localhost/", "data:,x", "http://[", "https://a b/"]:
        try:
            await env.GOOD.fetch(url)
            said[url] = "fetched"
        except Exception as error:
            said[url] = type(error).__name__
    return Response.json(said)
