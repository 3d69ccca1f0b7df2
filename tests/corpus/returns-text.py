# A handler that returns text.
def on_fetch(request):
    return "text"
