"""
From a stored batch to an accepted record, exactly once.

    loop       take, pack, send, judge, settle; the only part with a memory, and that only of failures in a row
    envelope   a batch as bytes, the same on every try (pure)
    fhir       the same batch as a FHIR R4 transaction, and its answer (pure)
    verdict    what an answer means, how long to wait (pure)
    client     one POST; the only module that knows httpx
    tls, auth, signing   who the backend is, and who the hub is
    allowance  how much may be sent again on the backend's word (pure)
    outbox     what is needed of the store

Delivery is at least once, under one key for each batch and one id for each record; the backend answers a repeated key
from its table, so that a record counts once.
"""
