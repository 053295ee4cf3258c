"""Where the gateway runs: on either platform it is the same one, among the same neighbours."""
