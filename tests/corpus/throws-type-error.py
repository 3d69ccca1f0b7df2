# An attribute of None.
def on_fetch(request):
    return None.x
