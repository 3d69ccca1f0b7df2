# Header names and values that cannot be.
from workers import Response


def on_fetch(request):
    said = {}
    for name, value in [("a b", "x"), ("", "x"), ("X-Line", "a\nb"), ("X-Nul", "a\0b"), ("X-Wide", "ü€")]:
        try:
            said[name] = Response(headers=[(name, value)]).headers[name]
        except Exception as error:
            said[name] = type(error).__name__
    return Response.json(said)
