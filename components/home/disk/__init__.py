"""What a folder home needs of its disk: durable writes, locks of files, and "cannot look" told from "not there"."""
