# form_data of a body that is no form is a TypeError.
from workers import Response


async def on_fetch(request):
    return Response.json(list((await request.form_data()).items()))
