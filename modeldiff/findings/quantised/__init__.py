"""What quantised types make of weights on their own, beside what was measured."""
