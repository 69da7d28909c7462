"""What `ci-eval init` finds in a repository and writes into it: plain data in, texts out."""
