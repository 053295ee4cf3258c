"""What an environment costs in a month, before models: from its templates and a dated table of prices."""
