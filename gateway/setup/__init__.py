"""
The technician's visit: a device set up for a patient, step by step, so that it can be shown years later.

    form       the steps and their questions (pure)
    visit      a visit as the ledger tells it, and the record it ends with (pure)
    sight      what was heard of the device: paired, test reading, the backend's receipt (pure)
    visits     the daemon's side: answers questions, keeps every step at once
    course     the command's side: from the first step to the record, wherever the answers come from
    script     answers from a file
    interview  answers from a person at a terminal
    page       the sheet a clinic files

Every answer is a `setup` record of its own, durable before the next question is asked: whatever is interrupted is taken
up where it stood. What the daemon can see for itself (heard, accepted) is never asked. While a visit is open, what the
device sends is a rehearsal and never counts. The record's fields are those of billing rules, section 2.
"""
