"""The limits in time that parts of the platform have in common, in seconds."""

# How long the load balancer waits for an answer, or for more of it. A model may think for 900 s before its
# first byte and between two of a stream. The gateway then tells the caller so, and has to come before the
# load balancer, which would only cut the connection.
IDLE_SECONDS = 960
# From SIGTERM until a container is killed: the longest that Fargate allows, and all that running streams have
# where a task is told to stop at once.
STOP_SECONDS = 120
