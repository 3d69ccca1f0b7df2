# A handler that returns a Response whose body was read.
from workers import Response


async def on_fetch(request):
    answer = Response("x")
    await answer.text()
    return answer
