# print has two levels: its own, and that of sys.stderr.
import sys

from workers import Response


def on_fetch(request):
    print("a line of log")
    print("a line of error", file=sys.stderr)
    return Response("said")
