"""What every route shares: authentication, errors, languages, events, ranges."""
