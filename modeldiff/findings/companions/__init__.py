"""What lies beside the weights, in words: facts side by side, and what each difference means."""
