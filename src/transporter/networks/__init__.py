"""What can be done with any network: freeze it, hook into it, fetch its published weights."""
