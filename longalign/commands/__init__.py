"""The commands of `longalign`, a module each, beside what they share: parsing, config, tables."""
