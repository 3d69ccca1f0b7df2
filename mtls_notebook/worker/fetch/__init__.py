"""How a request reaches an origin: connections of one binding, HTTP/1.1 and HTTP/2 on the tap, and what went wrong.

Both languages fetch through here. What may not live here: languages, and what a worker sees of an answer.
"""
