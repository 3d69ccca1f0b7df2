# [vars] arrive as text or as JSON.
from workers import Response

TYPES = {str: "string", float: "number"}


def on_fetch(request, env):
    kinds = [TYPES[type(env.TEXT)], TYPES[type(env.NUMBER)]]
    return Response.json({"text": env.TEXT, "number": env.NUMBER, "object": env.OBJECT, "kinds": kinds})
