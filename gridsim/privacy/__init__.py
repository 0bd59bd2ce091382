"""What messages between households reveal, measured."""
