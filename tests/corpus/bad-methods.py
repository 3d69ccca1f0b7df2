# Methods: unknown ones, forbidden ones, lower case.
from workers import Request, Response


async def on_fetch(request, env):
    said = {}
    for method in ["get", "patch", "PATCH", "TRACE", "CONNECT", "NOPE", "G E T", ""]:
        try:
            said[method] = Request(env.ORIGIN, method=method).method
        except Exception as error:
            said[method] = type(error).__name__
    return Response.json(said)
