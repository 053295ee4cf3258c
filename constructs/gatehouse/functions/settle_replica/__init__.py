"""What a replica has to be given once it is made."""
