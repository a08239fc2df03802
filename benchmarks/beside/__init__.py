"""The same checkpoint run by others: do the same actions come out?"""
