# Statuses that a Response cannot have.
from workers import Response


def on_fetch(request):
    said = {}
    for status in [0, 99, 100, 101, 199, 600, 999, 1000, -1, "201", 200.5]:
        try:
            said[str(status)] = Response(None, status=status).status
        except Exception as error:
            said[str(status)] = type(error).__name__
    return Response.json(said)
