# Response.redirect to an absolute address.
from workers import Response


def on_fetch(request):
    return Response.redirect("https://example.com/next", 307)
