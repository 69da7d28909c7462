"""What a model has to beat: answers that cost next to nothing, scored as its own are."""
