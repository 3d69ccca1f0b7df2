# Response.redirect with a status that is none.
from workers import Response


def on_fetch(request):
    return Response.redirect("https://example.com/next", 200)
