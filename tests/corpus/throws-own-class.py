# An exception of the worker's own class.
class Mine(Exception):
    pass


def on_fetch(request):
    raise Mine("own")
