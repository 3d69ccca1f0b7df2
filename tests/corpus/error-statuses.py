# Statuses of 400 and more are answers, not errors.
from workers import Response


async def on_fetch(request, env):
    seen = []
    for status in [400, 401, 403, 404, 418, 429, 500, 503, 599]:
        answer = await env.GOOD.fetch(f"{env.ORIGIN}/status/{status}")
        seen.append([answer.status, answer.status_text, answer.ok, await answer.text()])
    return Response.json(seen)
