"""What mixing libraries do when the weights of their sources change in the middle of a run that is then interrupted."""
