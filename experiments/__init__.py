"""The long runs, one short module each: ``python -m experiments NAME --profile full``."""
