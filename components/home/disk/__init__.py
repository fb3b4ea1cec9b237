"""What a folder home needs of its disk: durable writes, locks of files, and reading that never guesses "not there"."""
