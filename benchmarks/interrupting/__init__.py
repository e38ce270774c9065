"""Training that is killed and resumed: what is drawn for a trial, one start of it, and the judge."""
