"""Words the mails of the user pool."""
