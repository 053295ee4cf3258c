"""What an owner writes in config/<environment>.yaml, typed and validated once."""
