# What the handler learns of its request.
from urllib.parse import parse_qs, urlsplit

from workers import Response


async def on_fetch(request):
    url = urlsplit(request.url)
    headers = request.headers
    facts = [request.method, url.path, parse_qs(url.query)["q"][0], headers["x-mine"], headers["content-length"]]
    return Response.json([*facts, request.redirect, request.body_used, await request.text(), request.body_used])
