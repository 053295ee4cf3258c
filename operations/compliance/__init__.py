"""The report for auditors: every rule, every finding, and the reason of each that is acknowledged."""
