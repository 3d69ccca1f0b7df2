# The client's long body, echoed by the origin.
from workers import Response


async def on_fetch(request, env):
    answer = await env.GOOD.fetch(f"{env.ORIGIN}/echo", method="POST", body=request.body)
    return Response(str(len(await answer.text())))
