# A handler that is no coroutine and returns its Response at once.
from workers import Response


def on_fetch(*given):
    _, env, ctx = given
    kinds = ("object" if env else "nothing", "function" if callable(ctx.waitUntil) else "nothing")
    return Response(f"{kinds[0]} {kinds[1]} {len(given)}")
