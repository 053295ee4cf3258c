"""Code that runs in AWS Lambda: a folder for each function, with the standard library and boto3 alone."""
