"""
The audit packet of one patient and one period.

    scope.py    which episode, period and rules are meant
    gather.py   the patient's records, and where they stand in the chain
    derive.py   everything that follows from those records: counts, day ledger, devices, issues, who looked
    seal.py     digests of every section, and the hub's signature
    verify.py   all of it recomputed from the file alone
    tables.py   as CSV        packet.py, picture.py   as PDF

The document is the contract's evidence bundle (`vitals-evidence/1`, docs/billing.md), so that `assess` reads it, with
further sections. Only records, and where the backend stood on them, are stored facts; every other section is derived
from them by the one function that `verify` calls again. Records of other patients between ours are named by `seq`,
`prev` and `hash` alone: the chain can be followed and nothing of them is told.
"""
