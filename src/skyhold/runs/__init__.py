"""What happened: progress while it runs, a receipt when it has ended, and a journal of both."""
