"""What a model does for a person: separate, transcribe, synthesize, convert, show attention."""
