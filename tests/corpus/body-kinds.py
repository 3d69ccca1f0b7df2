# Bodies of every kind, and the Content-Type that each implies.
import re
from urllib.parse import urlencode

from workers import Blob, Response

FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}


async def on_fetch(request, env):
    bodies = ["text", b"\x01\x02", memoryview(b"\x03"), Blob(["blob"], "text/x"), urlencode({"a": "1 2"}), None]
    seen = []
    for body in bodies:
        headers = FORM if body == "a=1+2" else None
        told = await (await env.GOOD.fetch(env.ORIGIN, method="POST", body=body, headers=headers)).json()
        seen.append([told["body"], [pair for pair in told["headers"] if re.match("content-|transfer", pair[0])]])
    return Response.json(seen)
