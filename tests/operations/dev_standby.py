"""What dev's file says once it has a standby."""

STANDBY = """
standby:
  mode: warm
  region: us-west-2
  network:
    cidr: 10.140.0.0/16
    availability_zones: [us-west-2a, us-west-2b]
    nat: one
"""
# A standby wants a sign-in page that can move.
SIGN_IN = """identity:
  domain:
    domain_name: sign-in.dev.gatehouse.example.com
    certificate_arn: arn:aws:acm:us-east-1:111111111111:certificate/01234567-89ab-cdef-0123-456789abcdef
"""
