"""Each runs by itself: python -m executor.examples.session_examples."""
