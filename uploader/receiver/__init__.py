"""
The reference billing backend: the contract as running code.

For the demo, for tests, and for whoever builds the real one; `openapi.yaml` beside this file says the same in OpenAPI.

    app.py        routes, and nothing but routes
    access.py     who may come in
    content.py    bytes of a request -> JSON: digest, coding, limits, strictness
    signature.py  HTTP Message Signatures (RFC 9421)
    intake.py     a batch -> one answer, in one transaction
    chain.py      what is held of each hub's chain, and what is missing
    ledger.py     days of data per patient
    period.py     which dates are asked about
    page.py       the same for people, without scripts
    store.py      SQLite: one connection, one thread

Rules:

1. **Durable, then answered.** The answer leaves after COMMIT with `synchronous=FULL`.
2. **A record is kept once.** Its key is (hub, seq). The same record again is a duplicate; another one under the same
   number is refused. An event two hubs heard stands in both chains and once in the day ledger.
3. **The chain is checked in any order.** A record must fit the neighbours that are here, whichever came first, so every
   unbroken stretch (`span`) is verified.
4. **A gap is asked for a few times, further and further apart,** and then shown to a person: what a hub no longer has
   cannot be had by asking.
5. **The backend counts, it does not judge again.** A day counts when a reading says that it qualifies and that a device
   captured it; in RPM a claim to qualify without automatic capture is never counted. RPM and RTM are counted apart.
"""
