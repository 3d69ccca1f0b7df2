# An exception.
def on_fetch(request):
    raise Exception("plain")
