"""Fine-tune and few-shot datasets: what their rows say, and what is wrong with them. Pure."""
