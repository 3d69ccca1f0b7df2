# An exception with a cause keeps its own name.
async def on_fetch(request):
    try:
        return None.x
    except AttributeError as cause:
        raise RuntimeError("outer") from cause
