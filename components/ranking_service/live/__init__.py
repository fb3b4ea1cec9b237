"""What answers come from: opened from the home, watched, and replaced whole."""
