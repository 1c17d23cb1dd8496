"""Conversations on disk to packs: tokenised once, mixed, planned as steps, dealt to the ranks."""
