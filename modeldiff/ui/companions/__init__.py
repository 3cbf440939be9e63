"""What lies beside the weights: tokenizer, chat template, configs, card."""
