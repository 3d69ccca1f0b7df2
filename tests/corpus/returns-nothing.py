# A handler that returns nothing.
def on_fetch(request):
    pass
