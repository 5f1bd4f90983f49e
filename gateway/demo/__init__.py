"""`vitals-gateway demo`: the whole path on one machine, with everything going wrong that goes wrong in homes."""
