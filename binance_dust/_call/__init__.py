"""The life of a call: wait for weight, stamp, sign, send, read, tell the budget.

pipeline.py     what every call goes through
attempts.py     one call: all steps of each attempt
retry.py        which failed calls are sent again, how often, after what pause
clock.py        the exchange's time: how it is learnt and kept
signing.py      signatures
wire.py         requests as text
transport.py    HTTP, and what can go wrong with it
way.py          the way to the exchange: URL, proxy, local address
body.py         the body of an answer, never more than a limit
forecasts.py    when so many more calls can be sent
addresses.py    which sessions spend from the limits of one address
"""
