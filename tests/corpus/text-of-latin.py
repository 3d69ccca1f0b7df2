# text() is UTF-8 whatever the charset says; bytes.decode reads the other.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/latin")
    data = await answer.clone().bytes()
    return Response.json([await answer.text(), data.decode("iso-8859-1")])
