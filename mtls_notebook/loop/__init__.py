"""One private event-loop thread, and the one door through which synchronous code waits.

A notebook's main thread already runs a loop, so a cell cannot simply run another one. Workers
run on a `LoopThread`; the cell waits in `wait`, which relays what arrives meanwhile (log
lines, events) in the waiting thread, and turns an interrupt or a deadline into a clean stop.

What may not live here: anything that knows TLS, HTTP or Jupyter.
"""

from .blocking import dismiss, in_thread
from .eviction import ThrownOut
from .thread import LoopThread, Stopped
from .waiting import Interrupted, wait, wait_here

__all__ = ["Interrupted", "LoopThread", "Stopped", "ThrownOut", "dismiss", "in_thread", "wait", "wait_here"]
