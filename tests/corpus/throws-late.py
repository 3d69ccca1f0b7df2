# A raise after an await.
import asyncio


async def on_fetch(request):
    await asyncio.sleep(0.002)
    raise ValueError("late")
