"""The library-neutral engine: records, deliveries, the ledger, the clock and the verbs."""
