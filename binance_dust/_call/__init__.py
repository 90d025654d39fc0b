"""The life of a call: wait for weight, stamp, sign, send, read, tell the budget.

pipeline.py     all steps of one call, and its attempts
retry.py        which failure is sent again, how often, after how long
clock.py        the exchange's time, learnt and kept
signing.py      signatures
wire.py         requests as text, answers as results or errors
transport.py    HTTP, and what can go wrong with it
"""
