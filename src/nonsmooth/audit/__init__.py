"""What a training run really is: where its kinks are, which theorems apply, what its penalty can reach."""
