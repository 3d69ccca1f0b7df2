# A reason of one's own.
from workers import Response


def on_fetch(request):
    return Response("short and stout", status=418, status_text="Teapot")
